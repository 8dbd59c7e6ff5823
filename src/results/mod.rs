//! `results.json`: its schema, its file, and one number over all of its values.

mod digest;
mod error;
mod files;
mod schema;
#[cfg(test)]
mod tests;

pub use digest::values_digest;
pub use error::ResultsError;
pub use files::{RESULTS_FILE, read_results, write_results};
pub use schema::{
    DetectorResult, GreyImage, Machine, MetricResult, PointResult, Products, Results, SCHEMA_VERSION,
    TerminationReason, TrainingRecord, property,
};
