"""The mathematics of diffusion: pure functions of arrays, with no network inside.

One contract: `denoise(z [B, T, D], level) -> x0 [B, T, D]`.  Parametrisation, guidance and conditions wrap it; samplers never see them.
"""
