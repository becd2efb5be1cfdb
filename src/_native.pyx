# cython: language_level=3, boundscheck=False, wraparound=False
"""Boundary between NumPy arrays and the C loops of passes.c.

No policy here: fastsvm.backends.native chooses codes and threads, and callers have checked shapes, dtypes and contiguity. What
is not wanted is ``None``. The GIL is released while a pass runs.

The SIMD level is the highest that build and processor share; the environment variable ``FASTSVM_SIMD``, read once, names a
lower one.
"""

import os

from libc.stdint cimport int64_t
from libc.stdlib cimport getenv

cimport numpy as cnp

cnp.import_array()


cdef extern from "numpy/arrayobject.h":
    bint PyArray_ISCARRAY(cnp.ndarray array)
    bint PyArray_ISCARRAY_RO(cnp.ndarray array)
    bint PyArray_SAMESHAPE(cnp.ndarray one, cnp.ndarray other)


cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8(object text) except NULL
    object PyUnicode_DecodeFSDefault(const char *text)


cdef extern from "kernels.h" nogil:
    ctypedef struct fastsvm_kernels:
        pass

    ctypedef struct fastsvm_level:
        const char *name
        fastsvm_kernels f32
        fastsvm_kernels f64

    const fastsvm_level *fastsvm_level_at(int k)

    ctypedef struct fastsvm_csr:
        const void *values
        const void *indices
        const void *indptr
        Py_ssize_t n_rows
        int storage
        int wide


cdef extern from "passes.h" nogil:
    ctypedef struct fastsvm_job:
        const fastsvm_kernels *kernels
        Py_ssize_t n_classes
        Py_ssize_t n_features
        const char *X
        int storage
        const fastsvm_csr *csr
        const void *mean
        const void *inverse_scale
        const int64_t *y
        const double *sample_weight
        int loss
        double delta
        double alpha
        double alpha_intercept
        const int64_t *order
        Py_ssize_t n_rows
        Py_ssize_t batch_size
        void *W
        void *b
        int rule
        const double *coefficients
        void *slots_W[2]
        void *slots_b[2]
        void *scores
        void *dX
        void *dW
        void *db
        double *losses
        Py_ssize_t updates_done
        int64_t n_correct

    int fastsvm_run(fastsvm_job *job, int n_threads)
    double fastsvm_score_loss(
        const fastsvm_kernels *kernels, int loss, double delta, void *scores, const int64_t *y,
        const double *sample_weight, Py_ssize_t n_rows, Py_ssize_t n_classes, int want_gradient, int n_threads)


cdef extern from "step.h" nogil:
    void fastsvm_step(
        const fastsvm_kernels *kernels, int rule, const double *coefficients, void *x, const void *g,
        void *slot1, void *slot2, Py_ssize_t n, int n_threads)


cdef extern from "candidates.h" nogil:
    int fastsvm_losses(const fastsvm_job *job, Py_ssize_t n_candidates, double *out, int n_threads)


cdef extern from "sparse.h" nogil:
    int fastsvm_sparse_pass(fastsvm_job *job, Py_ssize_t n_candidates, int n_threads)
    int fastsvm_sparse_epoch(fastsvm_job *job, Py_ssize_t least_shared, int n_threads)
    int fastsvm_sparse_quotients(const fastsvm_job *job, double h, int central, int n_threads)


cdef extern from "combinations.h" nogil:
    int fastsvm_combination_losses(
        const fastsvm_kernels *kernels, int loss, double delta, const void *base, const void *scores,
        Py_ssize_t n_matrices, Py_ssize_t n_rows, Py_ssize_t n_classes, const int64_t *y, const double *sample_weight,
        const double *coefficients, Py_ssize_t n_points, double *out, int n_threads)
    int fastsvm_numerical_gradient(const fastsvm_job *job, double h, int central, int n_threads)


cdef extern from "dual.h" nogil:
    ctypedef struct fastsvm_dual:
        const fastsvm_kernels *kernels
        Py_ssize_t n_classes
        Py_ssize_t n_features
        const char *X
        int storage
        const void *shift
        const void *factors
        fastsvm_csr csr
        const int64_t *y
        const double *weight
        int loss
        double delta
        double scale
        double square
        const int64_t *order
        Py_ssize_t n_rows
        int certify
        void *W
        double *b
        void *a
        double *gaps
        double gap
        double value

    int fastsvm_dual_pass(fastsvm_dual *job, int n_threads)
    Py_ssize_t fastsvm_dual_stride(const fastsvm_kernels *kernels, Py_ssize_t n_classes, int dense)


cdef extern from "moments.h" nogil:
    int fastsvm_byte_moments(
        const void *X, int is_signed, Py_ssize_t n_rows, Py_ssize_t n_features, int64_t *sums, int64_t *squares)


cdef extern from *:
    """
    #ifdef _OPENMP
    #define FASTSVM_OPENMP _OPENMP
    #else
    #define FASTSVM_OPENMP 0
    #endif
    """
    const int FASTSVM_OPENMP


cdef const fastsvm_level *current = fastsvm_level_at(0)


def openmp() -> bool:
    """Whether this build runs threads."""
    return FASTSVM_OPENMP != 0


def openmp_version() -> int:
    """Date (yyyymm) of the OpenMP specification the compiler follows, 0 without OpenMP."""
    return FASTSVM_OPENMP


def simd_levels() -> list[str]:
    """Levels that this build and this processor have, lowest first."""
    names = []
    cdef int k = 0
    while fastsvm_level_at(k) != NULL:
        names.append(fastsvm_level_at(k).name.decode())
        k += 1
    return names


def simd_level() -> str:
    """The level in use."""
    return current.name.decode()


def set_simd_level(name: str) -> None:
    """Use this level from now on; ValueError where it is not to be had."""
    global current
    names = simd_levels()
    if name not in names:
        raise ValueError(f"FASTSVM_SIMD must be one of {', '.join(names)} on this machine; got {name!r}")
    current = fastsvm_level_at(names.index(name))


cdef void *data(object array):
    return NULL if array is None else cnp.PyArray_DATA(<cnp.ndarray> array)


cdef const fastsvm_kernels *kernels_for(cnp.ndarray weights):
    return &current.f32 if weights.descr.itemsize == 4 else &current.f64


cdef void put_slots(void **pointers, tuple slots):
    pointers[0] = data(slots[0]) if len(slots) > 0 else NULL
    pointers[1] = data(slots[1]) if len(slots) > 1 else NULL


def run(
    cnp.ndarray W not None, cnp.ndarray b, cnp.ndarray X not None, int storage, cnp.ndarray mean,
    cnp.ndarray inverse_scale, int n_threads, *, cnp.ndarray y=None, cnp.ndarray sample_weight=None,
    int loss=0, double delta=0.0, double alpha=0.0, double alpha_intercept=0.0,
    cnp.ndarray order=None, Py_ssize_t batch_size=0, int rule=-1, cnp.ndarray coefficients=None,
    tuple slots_W=(), tuple slots_b=(), cnp.ndarray scores=None, cnp.ndarray dX=None,
    cnp.ndarray dW=None, cnp.ndarray db=None, cnp.ndarray losses=None, double h=0.0, bint central=True,
    cnp.ndarray indices=None, cnp.ndarray indptr=None, Py_ssize_t least_shared=0,
):
    """Make the passes of a job (see passes.h) and return (updates made, n_correct). ``batch_size`` 0 is one batch of all rows.

    Where ``W`` has three dimensions it holds candidates, and the only result is the objective at each of them, in ``losses``,
    or their scores, where ``scores`` has three dimensions, too; -1 updates made says that these must be had in another
    way. With ``h`` > 0 the gradient, of W in double, is made of difference quotients without the penalty, from the scores of W.

    With ``indptr`` the samples are CSR: ``X`` holds their values. Threads share an update of theirs only where it takes
    ``least_shared`` products, which decides on the order of its sums.

    Raises
    ------
    MemoryError
        Where working memory is refused; nothing has been changed then.
    """
    cdef fastsvm_job job
    cdef fastsvm_csr csr
    cdef int failed, both_sides = central
    job.kernels = kernels_for(W)
    cdef Py_ssize_t n_candidates = W.shape[0] if W.ndim == 3 else 0
    job.n_classes, job.n_features = W.shape[W.ndim - 2], W.shape[W.ndim - 1]
    job.X, job.storage = <const char *> data(X), storage
    job.mean, job.inverse_scale = data(mean), data(inverse_scale)
    job.csr = NULL
    if indptr is not None:
        job.csr, job.X = &csr, NULL
        csr.values, csr.indices, csr.indptr = data(X), data(indices), data(indptr)
        csr.n_rows, csr.storage, csr.wide = indptr.shape[0] - 1, storage, indptr.descr.itemsize == 8
    job.y, job.sample_weight = <const int64_t *> data(y), <const double *> data(sample_weight)
    job.loss, job.delta, job.alpha, job.alpha_intercept = loss, delta, alpha, alpha_intercept
    job.order = <const int64_t *> data(order)
    cdef Py_ssize_t n_samples = X.shape[0] if indptr is None else indptr.shape[0] - 1
    job.n_rows = n_samples if order is None else order.shape[0]
    job.batch_size = batch_size if batch_size > 0 else job.n_rows
    job.W, job.b = data(W), data(b)
    job.rule, job.coefficients = rule, <const double *> data(coefficients)
    put_slots(job.slots_W, slots_W)
    put_slots(job.slots_b, slots_b)
    job.scores, job.dX, job.dW, job.db = data(scores), data(dX), data(dW), data(db)
    job.losses = <double *> data(losses)
    job.updates_done = job.n_correct = 0
    with nogil:
        if job.csr != NULL and h > 0:
            failed = fastsvm_sparse_quotients(&job, h, both_sides, n_threads)
        elif job.csr != NULL and rule >= 0:
            failed = fastsvm_sparse_epoch(&job, least_shared, n_threads)
        elif job.csr != NULL:
            failed = fastsvm_sparse_pass(&job, n_candidates if n_candidates else 1, n_threads)
        elif n_candidates:
            failed = fastsvm_losses(&job, n_candidates, job.losses, n_threads)
        elif h > 0:
            failed = fastsvm_numerical_gradient(&job, h, both_sides, n_threads)
        else:
            failed = fastsvm_run(&job, n_threads)
    if failed < 0:
        raise MemoryError("not enough memory for the working space of a pass")
    if failed:
        return -1, 0
    return job.updates_done, job.n_correct


def combination_losses(
    cnp.ndarray scores not None, cnp.ndarray coefficients not None, cnp.ndarray base, cnp.ndarray y not None,
    cnp.ndarray sample_weight, int loss, double delta, cnp.ndarray out not None, int n_threads,
):
    """Fill ``out`` with the mean losses at ``base`` and combinations of ``scores``. MemoryError as in `run`."""
    cdef const fastsvm_kernels *kernels = kernels_for(scores)
    cdef void *s = data(scores)
    cdef void *added = data(base)
    cdef Py_ssize_t n_matrices = scores.shape[0], n_rows = scores.shape[1], n_classes = scores.shape[2]
    cdef const int64_t *labels = <const int64_t *> data(y)
    cdef const double *weight = <const double *> data(sample_weight)
    cdef const double *table = <const double *> data(coefficients)
    cdef double *sums = <double *> data(out)
    cdef Py_ssize_t n_points = coefficients.shape[0]
    cdef int failed
    with nogil:
        failed = fastsvm_combination_losses(
            kernels, loss, delta, added, s, n_matrices, n_rows, n_classes, labels, weight, table, n_points, sums,
            n_threads)
    if failed:
        raise MemoryError("not enough memory for the working space of a pass")


def score_loss(
    cnp.ndarray scores not None, cnp.ndarray y not None, cnp.ndarray sample_weight, int loss, double delta,
    bint want_gradient, int n_threads,
):
    """Mean loss of ``scores``; they become its gradient where ``want_gradient``, and are spoilt otherwise."""
    cdef const fastsvm_kernels *kernels = kernels_for(scores)
    cdef void *s = data(scores)
    cdef const int64_t *labels = <const int64_t *> data(y)
    cdef const double *weight = <const double *> data(sample_weight)
    cdef Py_ssize_t n_rows = scores.shape[0], n_classes = scores.shape[1]
    cdef int want = want_gradient
    cdef double value
    with nogil:
        value = fastsvm_score_loss(kernels, loss, delta, s, labels, weight, n_rows, n_classes, want, n_threads)
    return value


def byte_moments(cnp.ndarray X not None, cnp.ndarray sums not None, cnp.ndarray squares not None) -> None:
    """Add the columns' sums and sums of squares of int8 or uint8 ``X`` to ``sums`` and ``squares``, (n_features,) int64."""
    cdef const void *x = data(X)
    cdef Py_ssize_t n_rows = X.shape[0], n_features = X.shape[1]
    cdef int64_t *first = <int64_t *> data(sums)
    cdef int64_t *second = <int64_t *> data(squares)
    cdef int is_signed = X.descr.kind == c"i", failed
    with nogil:
        failed = fastsvm_byte_moments(x, is_signed, n_rows, n_features, first, second)
    if failed:
        raise MemoryError("not enough memory for the sums over the samples")


def dual_stride(cnp.ndarray like not None, Py_ssize_t n_classes, bint dense) -> int:
    """Numbers of a feature's vector in the W of `dual_pass`, of the type of ``like``."""
    return fastsvm_dual_stride(kernels_for(like), n_classes, dense)


def dual_pass(
    cnp.ndarray W not None, cnp.ndarray b, cnp.ndarray a not None, cnp.ndarray X, int storage, cnp.ndarray shift,
    cnp.ndarray factors, tuple csr, cnp.ndarray y not None, cnp.ndarray weight, int loss, double delta, double scale,
    double square, cnp.ndarray order not None, bint certify, cnp.ndarray gaps not None, int n_threads,
):
    """A pass over the rows ``order`` (see dual.c): sums of their gaps and of their losses, each times its weight.

    The examples are ``X``, or where that is ``None`` ``csr``, (indptr, indices, values). ``W`` (n_features, stride), ``b``
    (n_classes,) float64 or ``None``, and ``a`` (n_examples, n_classes) change unless it is only to ``certify``. MemoryError as
    in `run`.
    """
    cdef fastsvm_dual job
    cdef int failed
    job.kernels = kernels_for(W)
    job.n_classes, job.n_features = a.shape[1], W.shape[0]
    job.X, job.storage = <const char *> data(X), storage
    job.shift, job.factors = data(shift), data(factors)
    if X is None:
        job.csr.indptr, job.csr.indices, job.csr.values = data(csr[0]), data(csr[1]), data(csr[2])
        job.csr.n_rows, job.csr.storage = a.shape[0], storage
        job.csr.wide = (<cnp.ndarray> csr[1]).descr.itemsize == 8
    job.y, job.weight = <const int64_t *> data(y), <const double *> data(weight)
    job.loss, job.delta, job.scale, job.square = loss, delta, scale, square
    job.order, job.n_rows, job.certify = <const int64_t *> data(order), order.shape[0], certify
    job.W, job.b, job.a = data(W), <double *> data(b), data(a)
    job.gaps = <double *> data(gaps)
    with nogil:
        failed = fastsvm_dual_pass(&job, n_threads)
    if failed:
        raise MemoryError("not enough memory for the working space of a pass")
    return job.gap, job.value


cdef bint plain(object array, cnp.ndarray like, bint writeable):
    """Whether it is an array, no subclass, of the type and shape of ``like``, C-contiguous, aligned, in native byte order."""
    if not cnp.PyArray_CheckExact(array) or cnp.PyArray_TYPE(<cnp.ndarray> array) != cnp.PyArray_TYPE(like):
        return False
    if not PyArray_SAMESHAPE(<cnp.ndarray> array, like):
        return False
    return PyArray_ISCARRAY(<cnp.ndarray> array) if writeable else PyArray_ISCARRAY_RO(<cnp.ndarray> array)


def updates_made(object x, object dx, object named):
    """Updates made by a state (a NamedTuple) that certainly fits ``x`` and ``dx``; -1 where somebody must look closer."""
    cdef tuple state = <tuple> named
    if not cnp.PyArray_CheckExact(x) or not cnp.PyArray_CheckExact(state[0]):
        return -1
    cdef int kind = cnp.PyArray_TYPE(<cnp.ndarray> x)
    cdef cnp.ndarray count = <cnp.ndarray> state[0]
    if kind != cnp.NPY_FLOAT32 and kind != cnp.NPY_FLOAT64:
        return -1
    if cnp.PyArray_TYPE(count) != cnp.NPY_INT64 or cnp.PyArray_NDIM(count) != 0 or not PyArray_ISCARRAY(count):
        return -1
    if not plain(x, <cnp.ndarray> x, True) or not plain(dx, <cnp.ndarray> x, False):
        return -1
    cdef Py_ssize_t k
    for k in range(1, len(state)):
        if not plain(state[k], <cnp.ndarray> x, True):
            return -1
    return (<int64_t *> cnp.PyArray_DATA(count))[0]


def environment(str name not None):
    """The environment variable of that name or ``None``, at a tenth of the cost of ``os.environ``, which writes here, too."""
    cdef const char *value = getenv(PyUnicode_AsUTF8(name))
    return None if value == NULL else PyUnicode_DecodeFSDefault(value)


def step(
    int rule, cnp.ndarray coefficients not None, cnp.ndarray x not None, cnp.ndarray dx not None, tuple slots,
    int n_threads,
):
    """One update of ``x`` and its slots, in place."""
    cdef const fastsvm_kernels *kernels = kernels_for(x)
    cdef const double *row = <const double *> data(coefficients)
    cdef void *parameters = data(x)
    cdef void *gradient = data(dx)
    cdef void *pointers[2]
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
    put_slots(pointers, slots)
    with nogil:
        fastsvm_step(kernels, rule, row, parameters, gradient, pointers[0], pointers[1], n, n_threads)


#: Why the environment's level could not be set, for fastsvm.backends.native to raise when it is first used.
refused_level = None
set_simd_level(simd_levels().pop())
if os.environ.get("FASTSVM_SIMD"):
    try:
        set_simd_level(os.environ["FASTSVM_SIMD"].lower())
    except ValueError as error:
        refused_level = str(error)
