//! Sets that were searched for in this process: a sweep asks for the same one at every point.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::IntegerSet;
use crate::scenario::{NomaConfig, SignatureKind};

static KNOWN: Mutex<Option<HashMap<String, IntegerSet>>> = Mutex::new(None);

/// The set of this request, searched for once; a search is a function of the request alone.
pub(super) fn once(kind: SignatureKind, config: &NomaConfig, search: impl FnOnce() -> IntegerSet) -> IntegerSet {
    let (n, h, q) = (config.users, config.signature_length, config.quantiser_levels);
    let key = format!("{kind:?} {n} {h} {q} {:?}", config.activation_prob());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.get_or_insert_default().entry(key).or_insert_with(search).clone()
}
