"""The words that figures write by themselves, in each language: the one place to look for them and to change them.

Korean keeps the English term in brackets where the lecture notes do. Names that a caller gives (of series, classes, optimizers)
are drawn as they are. Formulas are plain characters: matplotlib cannot draw Hangul in a text with $...$ in it.
"""

from __future__ import annotations

LANGUAGES = ("en", "ko")

#: key: (English, Korean). Braces are filled in by :func:`fastsvm.plots.words.label`.
LABELS = {
    # axes
    "loss": ("loss", "손실(loss)"),
    "data loss": ("data loss", "데이터 손실"),
    "with penalty": ("with penalty", "규제 포함"),
    "accuracy": ("accuracy", "정확도"),
    "test accuracy": ("test accuracy", "테스트 정확도"),
    "score": ("score", "점수"),
    "epoch": ("epoch", "에폭(epoch)"),
    "update": ("update", "업데이트 횟수"),
    "attempt": ("attempt", "시도 횟수"),
    "learning rate": ("learning rate", "학습률(learning rate)"),
    "alpha": ("alpha (strength of the penalty)", "alpha (규제 강도)"),
    "step size": ("step size", "스텝 크기(step size)"),
    "batch size": ("batch size", "배치 크기(batch size)"),
    "along one": ("a in L(W + a W₁)", "L(W + a W₁)의 a"),
    "along first": ("a in L(W + a W₁ + b W₂)", "L(W + a W₁ + b W₂)의 a"),
    "along second": ("b", "b"),
    "one weight": ("one weight, {name}", "가중치 하나, {name}"),
    "direction": ("direction {k} ({share} of the way)", "방향 {k} (이동의 {share})"),
    "angle": ("angle to the full gradient", "전체 그라디언트와 이루는 각도"),
    "norm ratio": ("length, relative to the full gradient", "전체 그라디언트 대비 크기"),
    "gradient error": ("error, relative to the full gradient", "전체 그라디언트 대비 오차"),
    "updates": ("updates", "업데이트 횟수"),
    "samples": ("samples seen", "학습에 쓴 예시 수"),
    "of size": ("batches of {size}", "배치 크기 {size}"),
    "actual": ("actual class", "실제 클래스"),
    "predicted": ("predicted class", "예측한 클래스"),
    "analytic": ("analytic gradient", "해석적 그라디언트"),
    "numerical": ("numerical gradient", "수치 그라디언트"),
    "relative error": ("relative error", "상대 오차"),
    "share of row": ("share of the actual class", "실제 클래스 중 비율"),
    # what is drawn
    "validation": ("{name}, validation", "{name}, 검증"),
    "training": ("training", "학습"),
    "validation only": ("validation", "검증"),
    "diverged": ("diverged", "발산"),
    "kink": ("kink", "꺾임(kink)"),
    "kinks": ("kinks ({count})", "꺾임(kink) {count}개"),
    "start": ("start", "시작"),
    "end": ("end", "끝"),
    "minimum": ("minimum", "최솟값"),
    "sum": ("mean of the samples' losses", "예시별 손실의 평균"),
    "loss at start": ("loss before the step: {value}", "스텝 이전 손실: {value}"),
    "best step": ("lowest: {value}", "최저: {value}"),
    "lecture": ("the lecture's", "강의의 값"),
    "lecture value": ("{value} in the lecture", "강의에서는 {value}"),
    "each attempt": ("each attempt", "각 시도"),
    "accepted": ("accepted", "받아들인 시도"),
    "best so far": ("best so far", "지금까지의 최저 손실"),
    "decay here": ("lower the rate", "학습률 낮추기"),
    "constant rate": ("constant rate", "고정 학습률"),
    "decayed": ("with decay", "학습률 감소"),
    "draws": ("measured: median, 10–90 %", "측정값: 중앙값, 10–90 %"),
    "law": ("law: noise ∝ 1/√B", "법칙: 잡음 ∝ 1/√B"),
    "passing": ("within the tolerance", "허용 오차 이내"),
    "failing": ("beyond the tolerance", "허용 오차 초과"),
    "tolerance": ("tolerance", "허용 오차"),
    "at kinks": ("at a kink: not judged", "꺾인 점: 판정 제외"),
    "equal": ("equal", "일치"),
    "best trial": ("best: {score}", "최고: {score}"),
    "failed trial": ("diverged", "발산"),
    "chance": ("chance", "무작위 찍기"),
    # verdicts of effects.RateStudy
    "too low": ("too low", "너무 낮음"),
    "good": ("good", "적절"),
    "too high": ("too high", "너무 높음"),
    # names of trajectories.SURFACES
    "bowl": ("a long, narrow bowl", "길고 좁은 밥공기"),
    "saddle": ("saddle point", "안장점(saddle point)"),
    "turned_saddle": ("turned saddle point", "돌려 놓은 안장점(saddle point)"),
    "plateau": ("plateau", "평평한 고원(plateau)"),
    "wiggle": ("many local minima", "많은 국소 최솟값(local minima)"),
    "rosenbrock": ("Rosenbrock's valley", "로젠브록(Rosenbrock) 골짜기"),
    "beale": ("Beale's function", "빌(Beale) 함수"),
}
