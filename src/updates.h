/* One update of a run of parameters. Included once for each T, compiled without contraction: every operation is rounded
 * as in NumPy. fastsvm/optimizers.py has the formulas.
 */
static void NAME(update)(int rule, const double *coefficients, void *parameters, const void *gradient, void *slot1,
                         void *slot2, ptrdiff_t n) {
    T *RESTRICT x = parameters, *RESTRICT p = slot1, *RESTRICT q = slot2;
    const T *RESTRICT g = gradient;
    const T rate = (T)coefficients[FASTSVM_LEARNING_RATE], eps = (T)coefficients[FASTSVM_EPS];
    const T decay1 = (T)coefficients[FASTSVM_DECAY1], rest1 = (T)(1 - coefficients[FASTSVM_DECAY1]);
    const T decay2 = (T)coefficients[FASTSVM_DECAY2], rest2 = (T)(1 - coefficients[FASTSVM_DECAY2]);
    const T ahead = (T)(1 + coefficients[FASTSVM_DECAY1]), weight_decay = (T)coefficients[FASTSVM_WEIGHT_DECAY];
    const T correction1 = (T)coefficients[FASTSVM_CORRECTION1], correction2 = (T)coefficients[FASTSVM_CORRECTION2];
    switch (rule) {
    case FASTSVM_SGD:
        for (ptrdiff_t k = 0; k < n; k++) x[k] -= rate * g[k];
        break;
    case FASTSVM_MOMENTUM:
        for (ptrdiff_t k = 0; k < n; k++) {
            p[k] = decay1 * p[k] + g[k];
            x[k] -= rate * p[k];
        }
        break;
    case FASTSVM_NESTEROV:
        for (ptrdiff_t k = 0; k < n; k++) {
            const T velocity = decay1 * p[k] - rate * g[k];
            x[k] += -decay1 * p[k] + ahead * velocity;
            p[k] = velocity;
        }
        break;
    case FASTSVM_ADAGRAD:
        for (ptrdiff_t k = 0; k < n; k++) {
            p[k] += g[k] * g[k];
            x[k] -= rate * g[k] / (SQRT(p[k]) + eps);
        }
        break;
    case FASTSVM_RMSPROP:
        for (ptrdiff_t k = 0; k < n; k++) {
            p[k] = decay1 * p[k] + rest1 * (g[k] * g[k]);
            x[k] -= rate * g[k] / (SQRT(p[k]) + eps);
        }
        break;
    case FASTSVM_ADAM:
    case FASTSVM_ADAMW:
        for (ptrdiff_t k = 0; k < n; k++) {
            p[k] = decay1 * p[k] + rest1 * g[k];
            q[k] = decay2 * q[k] + rest2 * (g[k] * g[k]);
            const T direction = (p[k] / correction1) / (SQRT(q[k] / correction2) + eps);
            x[k] -= rate * (rule == FASTSVM_ADAMW ? direction + weight_decay * x[k] : direction);
        }
        break;
    }
}
