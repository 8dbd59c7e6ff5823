//! The kernels: what each computes, its specification in burn primitives and its adjoint.
//!
//! A file has the public function, the body of every backend without an own one, and the backward pass. Fast bodies are in
//! [`cpu`](super::cpu) and `cube`.

use burn::backend::ExtensionType;
use burn::backend::tensor::FloatTensor;

/// Declares the arguments of a kernel of many: tensors, then constants.
macro_rules! arguments {
    (
        $(#[$of_all:meta])*
        $name:ident[$count:literal] {
            $($(#[$of_tensor:meta])* $tensor:ident,)+;
            $($(#[$of_constant:meta])* $constant:ident: $type:ty,)+
        }
    ) => {
        $(#[$of_all])*
        #[derive(Debug, Clone, ExtensionType)]
        pub struct $name<B: burn::backend::Backend> {
            $($(#[$of_tensor])* pub $tensor: FloatTensor<B>,)+
            $($(#[$of_constant])* pub $constant: $type,)+
        }

        impl<B: burn::backend::Backend> $name<B> {
            /// Tensors and constants.
            pub(in crate::tensor) fn split(self) -> ([FloatTensor<B>; $count], ($($type,)+)) {
                ([$(self.$tensor),+], ($(self.$constant,)+))
            }

            /// The inverse of `split`.
            pub(in crate::tensor) fn join(
                [$($tensor),+]: [FloatTensor<B>; $count],
                ($($constant,)+): ($($type,)+),
            ) -> Self {
                Self { $($tensor,)+ $($constant,)+ }
            }
        }
    };
}

pub(super) mod adam;
pub(super) mod amp;
pub(super) mod conv;
pub(super) mod covariance;
pub(super) mod dense;
pub(super) mod entry;
pub(super) mod exp_linear;
pub(super) mod group_shrink;
pub(super) mod norm;
pub(super) mod onsager;
pub(super) mod pool;
mod primitives;
pub(super) mod quantize;
pub(super) mod row_shrink;
pub(super) mod rows;
pub(super) mod sweep;

arguments! {
    /// Arguments of [`covariance_score`](super::covariance_score) and [`covariance_filter`](super::covariance_filter).
    CovarianceInputs[3] {
        /// Powers, `[F, K]`.
        gamma,
        /// Sequences, `[2L, K]`: real rows, then imaginary rows.
        s,
        /// Observations, `[F*M, 2L]`.
        y,;
        /// Antennas M.
        antennas: usize,
        /// Noise variance.
        noise_var: f64,
    }
}

arguments! {
    /// Arguments of [`coordinate_sweep`](super::coordinate_sweep).
    SweepInputs[3] {
        /// Log-odds of activity, `[1, N]`.
        log_odds,
        /// Sequences, `[2L, N]`: real rows, then imaginary rows.
        s,
        /// Observations, `[F*M, 2L]`.
        y,;
        /// Antennas M.
        antennas: usize,
        /// Sweeps over all devices.
        sweeps: usize,
        /// Noise variance.
        noise_var: f64,
    }
}

arguments! {
    /// Arguments of [`entry_denoise`](super::entry_denoise).
    EntryInputs[4] {
        /// Entries, `[F*M, 2K]`.
        z,
        /// Shrink of a surely active entry, `[F, K]` as the following.
        omega,
        /// Factor on the square of an entry in its log-odds.
        a,
        /// What an entry's log-odds lack without energy.
        offset,;
        /// Antennas M.
        antennas: usize,
        /// What is computed.
        part: entry::EntryPart,
    }
}

arguments! {
    /// Arguments of [`amp_iteration`](super::amp_iteration), whose documentation has their shapes.
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
        form: amp::AmpForm,
    }
}
