//! Files without the meaning of their arrays: npz, safetensors, PyTorch state_dicts, verified folders, checksums.
//!
//! Every write goes through [`atomic_write`] (temporary file, fsync, rename), so that a reader never sees half a file.
//! Every read checks sizes, types and values before anything is computed, and an error names the file, the array, what
//! was found and what is expected.

mod atomic;
mod bundle;
mod error;
mod hash;
mod npy_header;
pub mod npz;
mod npz_writer;
mod pickle;
pub mod tensors;
pub mod torch;

pub use atomic::{atomic_write, create_parent};
pub use bundle::{BUNDLE_SCHEMA_VERSION, Bundle, BundleFile, Manifest, ManifestParts, write_bundle};
pub use error::IoError;
pub(crate) use hash::{file_sha256, hex, sha256_hex};
