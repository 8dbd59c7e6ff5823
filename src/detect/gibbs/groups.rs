//! Groups of devices that are active together.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::chain::{Scene, Shared, Walk};
use super::devices::{pick, softmax};
use super::marginals::{Marginals, NEGLIGIBLE};
use crate::detect::common::columns::pilot_columns;
use crate::detect::common::groups::{GroupCovariance, others};
use crate::link::AccessModel;
use crate::math::isa::Isa;

/// One group after the other, or with exactly one active group a draw among all of them.
pub(super) struct GroupWalk {
    covariance: GroupCovariance<f64>,
    /// 1 active, 0 idle, of every group.
    on: Vec<f64>,
    log_likelihood: f64,
    weights: Vec<f64>,
}

impl Walk for GroupWalk {
    fn new(shared: &Shared, model: &AccessModel) -> Self {
        let groups = shared.groups.expect("a walk over groups has groups");
        Self {
            covariance: GroupCovariance::new(pilot_columns(model, 1.0), model, groups),
            on: vec![0.0; groups.count],
            log_likelihood: 0.0,
            weights: vec![0.0; groups.count],
        }
    }

    #[inline(always)]
    fn begin<I: Isa>(&mut self, isa: I, scene: &Scene<'_>, sent: &[usize]) {
        self.covariance.load(scene.y);
        let size = sent.len() / self.on.len();
        // A start that is none of the law's is brought to it: a group is as its first device.
        for (on, group) in self.on.iter_mut().zip(sent.chunks_exact(size)) {
            *on = f64::from(group[0] > 0);
        }
        if scene.shared.groups.is_some_and(|g| g.single) {
            let first = self.on.iter().position(|on| *on > 0.0).unwrap_or(0);
            self.on.iter_mut().enumerate().for_each(|(g, on)| *on = f64::from(g == first));
        }
        self.rebuild(isa, scene);
    }

    #[inline(always)]
    fn sweep<I: Isa>(
        &mut self,
        isa: I,
        scene: &Scene<'_>,
        temper: f64,
        rng: &mut ChaCha8Rng,
        mut marginals: Option<&mut Marginals>,
    ) {
        let Some(law) = scene.shared.groups else { return };
        let Self { covariance, on, log_likelihood, weights } = self;
        if law.single {
            // All groups but one are idle: every state is looked at, and the draw is from the posterior itself.
            let ratios = covariance.single(isa, scene.beta, temper, weights);
            let drawn = pick(weights, rng.random()).max(1) - 1;
            on.iter_mut().enumerate().for_each(|(g, on)| *on = f64::from(g == drawn));
            *log_likelihood = ratios[drawn];
            let Some(marginals) = marginals else { return };
            for g in 0..law.count {
                if weights[g] > 0.0 {
                    covariance.ratio(isa, g, scene.beta);
                }
                add(isa, covariance, marginals, scene, g, [weights[g], others(weights, g)]);
            }
            return;
        }
        for g in 0..law.count {
            covariance.take_out(isa, g, scene.beta, on);
            let ratio = covariance.ratio(isa, g, scene.beta);
            let mut weight = [0.0];
            let idle = softmax(
                std::iter::once(temper * ratio + scene.shared.log_odds[covariance.devices(g).start]),
                &mut weight,
            );
            if let Some(marginals) = marginals.as_deref_mut() {
                add(isa, covariance, marginals, scene, g, [weight[0], idle]);
            }
            if pick(&weight, rng.random()) > 0 {
                on[g] = 1.0;
                covariance.put_in(isa, g, scene.beta, 1.0);
            }
        }
        *log_likelihood = covariance.log_likelihood;
    }

    #[inline(always)]
    fn rebuild<I: Isa>(&mut self, isa: I, scene: &Scene<'_>) {
        self.covariance.rebuild(isa, scene.beta, &self.on);
        self.log_likelihood = self.covariance.log_likelihood;
    }

    fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }
}

/// Adds the conditional distribution of the devices of a group whose ratio was just computed.
#[inline(always)]
fn add<I: Isa>(
    isa: I,
    covariance: &mut GroupCovariance<f64>,
    marginals: &mut Marginals,
    scene: &Scene<'_>,
    group: usize,
    [weight, idle]: [f64; 2],
) {
    let antennas = scene.shared.columns.antennas;
    for n in covariance.devices(group) {
        marginals.active[n] += weight;
        marginals.idle[n] += idle;
        if weight > NEGLIGIBLE {
            let x = &mut marginals.x[n * antennas..(n + 1) * antennas];
            covariance.add_mean(isa, n, weight * scene.beta[n], scene.y, x);
        }
    }
}
