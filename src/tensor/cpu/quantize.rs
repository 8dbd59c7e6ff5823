//! The uniform quantiser.

use super::element::Element;

/// The nearest integer in `-levels..=levels`, halves up.
pub fn quantize<T: Element>(x: &[T], levels: T) -> Vec<T> {
    let half = T::narrow(0.5);
    x.iter().map(|v| (*v + half).floor().max(-levels).min(levels)).collect()
}
