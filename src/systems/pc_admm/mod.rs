//! System C: the network that unfolds prediction-correction ADMM, with a channel-attention proximal operator.
//!
//! # Model
//!
//! `Y = A X + W`, Y `[L, M]`, A `[L, N]`, one pilot per device. Out: rows of X `[F, N, M]`, activities `[F, N]`, and as score
//! the logit of every activity.
//!
//! # Network
//!
//! One layer, at unit noise variance and unit-norm pilots (see [`FrameTensors`](crate::systems::access::FrameTensors)),
//! from `w = (V, U)`; `T = V - U`:
//!
//! | step | untrained ([`pc-admm`](crate::detect::pc_admm)) | trained |
//! |---|---|---|
//! | `U~ = W (Y - A T)` | `W = (A^H A + rho I)^-1 A^H` | W (complex, or real and stacked), its step size |
//! | `Z = V + U~ + theta (U~ - U)` | `theta = 1 - (2 - alpha)^2/2` | theta |
//! | `V~ = prox(Z)` | row soft threshold at `lambda/rho` | lambda, rho; channel attention |
//! | `V <- V - a_v (V - V~)` | `a_v = alpha` | `a_v` |
//! | `U <- d (U - a_u (U - U~)) + c (V - V~)` | `a_u = alpha`, `c = alpha (1 - theta)`, `d = 1` | `a_u`, `c`, `d` |
//!
//! With `d` not 1 a layer may reach more than the optimum of the LASSO. With `theta = 1`, `a_v = 1`, `a_u = 2` and
//! `c = d = b` the next T is `V~ + b (V~ - Z)` and Z is `T + 2 W (Y - A T)`: for `b = a/(1 - a)`, a the divergence of the prox,
//! and W of the right size this is orthogonal AMP (Ma and Ping, 2017). The divergence differs from frame to frame; a learned
//! factor, zero at first, lets c and d follow it.
//!
//! **Channel attention** ([`Attention`](crate::systems::pc_admm::Attention)) reduces every row to its energy over the antennas
//! and the whole frame to its residual power and its mean activity, and weighs the row by `omega sigmoid(logit)`. The logit
//! is the likelihood ratio of Theorem 1 of the DL-mAMPnet paper at an effective noise that is learned from the residual
//! power, plus the log-odds of activity, plus two dense layers that start at zero: it can express the Bayes shrink of a row
//! (logistic in its energy). A learned `blend`, zero at first, leads from the soft threshold to that weight. The untrained network therefore equals K iterations of
//! PC-ADMM (tested). The threshold `lambda` counts in units of the noise, so it grows with its standard deviation; the
//! activity probability enters as a log-odds, from the frames and not from the training.
//!
//! Activities are decided by the same kind of attention on the Z of the last layer.
//!
//! Source: a reconstruction from the abstract of the PC-ADMM paper, see [references](crate::docs::references); which parts
//! are trained and how the attention is made is derived here.

mod attention;
mod config;
mod detector;
mod layer;
mod net;
mod options;
mod start;
mod system;
mod task;
#[cfg(all(test, any(feature = "flex", feature = "ndarray")))]
mod tests;

pub use attention::Attention;
pub use config::{AdmmConfig, LinearMap, MapSharing, NominalLink, Proximal};
pub use detector::PcAdmmDetector;
pub use layer::AdmmLayer;
pub use net::{PcAdmmNet, PcAdmmPass};
pub use options::PcAdmmOptions;
pub use system::PcAdmmInfo;
pub use task::PcAdmmTask;
