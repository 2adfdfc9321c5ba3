"""A calibration is learnt: from pairs that belong together and questions that nothing answers.

Reading order: `own` (from somebody's own captioned photos), `examples` (collections drawn at
random, hits that are meant and chance hits), `logistic` (a curve that parts them). `calibration`
says what a curve is, `kept_calibrations` where those learnt here lie; `scripts/training/calibrate`
fits those of `mini`. Knows nothing about where vectors come from.
"""
