//! The kernels: what each computes, its specification in burn primitives and its adjoint.
//!
//! A file has the public function, the body of every backend without an own one, and the backward pass. Fast bodies are in
//! [`cpu`](super::cpu) and `cube`.

/// Declares the arguments of a kernel that has many: tensors, then constants.
macro_rules! arguments {
    (
        $(#[$of_all:meta])*
        $name:ident[$count:literal] {
            $($(#[$of_tensor:meta])* $tensor:ident,)+;
            $($(#[$of_constant:meta])* $constant:ident: $type:ty,)+
        }
    ) => {
        $(#[$of_all])*
        #[derive(Debug, Clone, burn::backend::ExtensionType)]
        pub struct $name<B: burn::backend::Backend> {
            $($(#[$of_tensor])* pub $tensor: burn::backend::tensor::FloatTensor<B>,)+
            $($(#[$of_constant])* pub $constant: $type,)+
        }

        impl<B: burn::backend::Backend> $name<B> {
            /// Tensors and constants.
            pub(in crate::tensor) fn split(self) -> ([burn::backend::tensor::FloatTensor<B>; $count], ($($type,)+)) {
                ([$(self.$tensor),+], ($(self.$constant,)+))
            }

            /// The inverse of `split`.
            pub(in crate::tensor) fn join(
                [$($tensor),+]: [burn::backend::tensor::FloatTensor<B>; $count],
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

pub use amp::AmpInputs;
pub use covariance::CovarianceInputs;
pub use entry::EntryInputs;
pub use sweep::SweepInputs;
