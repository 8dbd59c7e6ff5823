//! An algorithm with checked options as a detector.

use std::fmt;

use super::ClassicalError;
use super::algorithm::{Algorithm, AnyAlgorithm, Context};
use crate::link::{Decisions, DetectError, Detector, Facts, FrameBatch, IterativeSolver};

/// A detector of one algorithm, made of its options: `Amp::new(AmpOptions { iterations: 30, ..AmpOptions::default() })`.
pub struct Built<A> {
    options: A,
    detector: Box<dyn Detector>,
}

impl<A: Algorithm> Built<A> {
    /// Checks the options and builds the detector.
    ///
    /// # Errors
    /// [`ClassicalError`] for an option out of its range, or one that needs a [`Context`].
    pub fn new(options: A) -> Result<Self, ClassicalError> {
        Self::with(options, &Context::default())
    }

    /// The same with what training frames tell.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(options: A, context: &Context) -> Result<Self, ClassicalError> {
        Ok(Self { detector: options.build(context)?, options })
    }

    /// Its options.
    pub fn options(&self) -> &A {
        &self.options
    }
}

impl<A: fmt::Debug> fmt::Debug for Built<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Built").field(&self.options).finish()
    }
}

impl<A: Algorithm> Detector for Built<A> {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        self.detector.detect(frames)
    }

    fn facts(&self) -> Facts {
        self.detector.facts()
    }

    fn solver(&self) -> Option<&dyn IterativeSolver> {
        self.detector.solver()
    }
}
