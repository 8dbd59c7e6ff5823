//! MMSE filter and successive cancellation of hard decisions.

use crate::detect::ClassicalError;
use crate::detect::Order;
use crate::detect::algorithm::{Algorithm, Context, Info};
use crate::detect::built::Built;
use crate::detect::spreading::algebra::{dot, subtract};
use crate::detect::spreading::link::Receivers;
use crate::detect::spreading::link::{Link, LinkDetector, LinkModel};
use crate::detect::spreading::schedule::Schedule;
use crate::link::C64;
use crate::link::{Detector, options};

options! {
    /// Options of: MMSE filter and successive cancellation of decisions.
    pub struct MmseSicOptions {
        /// Smallest error variance first, or users in order.
        order: Order = Order::Sinr, "\"sinr\" or \"fixed\"";
    }
}

impl Algorithm for MmseSicOptions {
    const INFO: Info = Info::spreading("mmse-sic", "MMSE filter and successive cancellation of decisions");

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Receivers(Engine { order: self.order })))
    }
}

/// MMSE filter and successive cancellation of hard decisions.
pub type MmseSic = Built<MmseSicOptions>;

/// With `C = sum over undecided p_m g_m g_m^H + sigma2 I` and `k_n = g_n^H C^-1 g_n`: the output `g_n^H C^-1 r / k_n` is
/// taken as `x_n + CN(0, 1/k_n - p_n)`, decided, and `g_n x_n` subtracted from `r`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Engine {
    /// Smallest variance first, or users in order.
    pub order: Order,
}

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Workspace {
    schedule: Schedule,
    residual: Vec<C64>,
}

impl LinkDetector for Engine {
    const NAME: &'static str = "mmse-sic";
    type Workspace = Workspace;

    fn frame(
        &self,
        model: &LinkModel<'_>,
        link: &Link,
        _: Option<&[i64]>,
        work: &mut Workspace,
        activity: &mut [i64],
        score: &mut [f64],
    ) {
        let c = model.constellation.len();
        let Workspace { schedule, residual } = work;
        schedule.plan(model, link, self.order);
        residual.clone_from(&link.y);
        for step in 0..model.users {
            let (user, gain) = (schedule.order[step], schedule.gain[step]);
            let odds = &mut score[user * c..(user + 1) * c];
            let variance = schedule.variance(model, link, step);
            activity[user] = if gain > 0.0 && variance.is_finite() {
                model.decide(user, dot(schedule.filter(step), residual) / gain, variance, odds)
            } else {
                model.decide(user, C64::default(), f64::INFINITY, odds)
            };
            subtract(residual, link.g(user), model.symbol(activity[user] as usize));
        }
    }
}
