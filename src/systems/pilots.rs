//! The pilots (or signatures) that belong to a network, in its bundle.

use std::sync::Arc;

use super::error::ModelError;
use super::saved::TENSORS;
use crate::container::Bundle;
use crate::link::{C64, Pilots};

/// Shape and energy of the pilots (or signatures) that belong to a network.
#[derive(Debug, Clone, Copy)]
pub struct PilotShape {
    /// Symbols L.
    pub length: usize,
    /// Columns K.
    pub columns: usize,
    /// Columns per device Q.
    pub sequences: usize,
    /// Expected squared norm of a column.
    pub energy: f64,
}

/// What a network has of pilots: those it was trained with, or none where it works with any.
pub trait OwnPilots: Clone + std::fmt::Debug {
    /// The pilots, where there are any.
    fn pilots(&self) -> Option<&Pilots>;

    /// The pilots of a bundle.
    ///
    /// # Errors
    /// [`ModelError`] when they are not there, of another shape or not finite.
    fn read(bundle: &Bundle, shape: PilotShape) -> Result<Self, ModelError>;
}

impl OwnPilots for () {
    fn pilots(&self) -> Option<&Pilots> {
        None
    }

    fn read(_: &Bundle, _: PilotShape) -> Result<Self, ModelError> {
        Ok(())
    }
}

impl OwnPilots for Arc<Pilots> {
    fn pilots(&self) -> Option<&Pilots> {
        Some(self)
    }

    fn read(bundle: &Bundle, shape: PilotShape) -> Result<Self, ModelError> {
        let dir = bundle.dir();
        let PilotShape { length, columns, sequences, energy } = shape;
        let tensors = bundle.tensors(TENSORS).map_err(ModelError::io(dir))?;
        let (_, found, values) = tensors
            .iter()
            .find(|(name, ..)| name == "pilots")
            .ok_or_else(|| ModelError::content(dir, format!("{TENSORS} has no tensor pilots")))?;
        if *found != [2, length, columns] {
            return Err(ModelError::content(
                dir,
                format!("{TENSORS}: pilots has shape {found:?}, the manifest says [2, {length}, {columns}]"),
            ));
        }
        let half = length * columns;
        let data = (0..half).map(|i| C64::new(f64::from(values[i]), f64::from(values[half + i]))).collect();
        let pilots = Pilots::new(length, columns, sequences, energy, data);
        pilots.map(Arc::new).map_err(|e| ModelError::content(dir, format!("{TENSORS}: {e}")))
    }
}
