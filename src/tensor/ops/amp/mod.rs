//! An iteration of unfolded AMP as one operation.

mod specification;

use burn::backend::Dispatch;
use burn::tensor::{Shape, Tensor};
pub(in crate::tensor) use specification::{backward, forward};

use crate::tensor::Backend;
use crate::tensor::cpu::AmpShape;

/// Forms of an iteration that are no tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmpForm {
    /// Antennas M.
    pub antennas: usize,
    /// Rows that exclude each other: Q, or 1 for rows on their own.
    pub section: usize,
    /// Matrix Onsager term; false takes the mean of the traces, which diverges often.
    pub matrix_onsager: bool,
}

impl AmpForm {
    /// All sizes, for gains `[F, K]` and observations `[F*M, 2L]`.
    pub(in crate::tensor) fn shape(self, beta: &Shape, y: &Shape) -> AmpShape {
        let Self { antennas, section, matrix_onsager } = self;
        AmpShape { frames: beta[0], antennas, columns: beta[1], length: y[1] / 2, section, matrix_onsager }
    }
}

arguments! {
    /// Arguments of [`amp_iteration`], whose documentation has their shapes.
    AmpInputs[7] {
        /// Estimate, residual and likelihood ratios before.
        state,
        /// Observations.
        y,
        /// Pilots.
        synthesis,
        /// Filter.
        analysis,
        /// Received powers.
        beta,
        /// v, theta_2, tau and the factor on the Onsager term.
        factors,
        /// Offset of the posterior's logit.
        theta_1,;
        /// What are no tensors.
        form: AmpForm,
    }
}

/// Tensors and form of an iteration; [`amp_iteration`] says what they are.
#[derive(Debug, Clone)]
pub struct AmpArguments {
    /// Estimate, residual and likelihood ratios before, in a row of `F*M*2*(K + L) + F*K` numbers.
    pub state: Tensor<1>,
    /// Observations, `[F*M, 2L]`.
    pub y: Tensor<2>,
    /// S as [`synthesis_matrix`](crate::tensor::complex::synthesis_matrix) has it, `[2K, 2L]`.
    pub synthesis: Tensor<2>,
    /// The same of the filter's adjoint, `[2K, 2L]`; for `B~ = S^H` it is S too.
    pub analysis: Tensor<2>,
    /// Received powers over the noise, `[F, K]`.
    pub beta: Tensor<2>,
    /// v, theta_2, tau and onsager, `[1, 4]`.
    pub factors: Tensor<2>,
    /// Offset of the posterior's logit, `[1, 1]` or `[1, K]`.
    pub theta_1: Tensor<2>,
    /// What are no tensors.
    pub form: AmpForm,
}

/// An iteration of unfolded AMP (Theorem 1 of the DL-mAMPnet paper) at unit noise and unit pilots, from state
/// to state.
///
/// A state is one row of numbers: the estimate X `[F*M, 2K]`, the residual R `[F*M, 2L]` and the likelihood ratios
/// `[F, K]` one after the other (the last are not read). With `A^T` the matrix `analysis [2K, 2L]`:
///
/// - `Z = X + R A`, `tau2 = e^tau ||R||^2/(L M)`, `b = e^theta_2 beta`, `omega = b/(b + tau2)`,
/// - `llr = (omega/tau2) ||z_k||^2 - M ln(1 + b/tau2)`, `w` the posterior of the logits `llr - theta_1`,
/// - `X' = v omega w Z`, `R' = Y - X' S + (onsager/L) (sum_k J_k) R` with the Jacobians of
///   [`row_shrink`](crate::tensor::row_shrink).
///
/// One operation, because an iteration of small frames is a few microseconds of arithmetic: as some forty nodes of a
/// graph it costs several times as much. The state goes on to the next iteration as it is, so that nothing is unpacked
/// between two of them.
pub fn amp_iteration(arguments: AmpArguments) -> Tensor<1> {
    let AmpArguments { state, y, synthesis, analysis, beta, factors, theta_1, form } = arguments;
    let [y, synthesis, analysis] = [y, synthesis, analysis].map(Tensor::into_dispatch);
    let [beta, factors, theta_1] = [beta, factors, theta_1].map(Tensor::into_dispatch);
    let state = state.into_dispatch();
    Tensor::from_dispatch(Dispatch::amp_iteration(AmpInputs {
        state,
        y,
        synthesis,
        analysis,
        beta,
        factors,
        theta_1,
        form,
    }))
}
