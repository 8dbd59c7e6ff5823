use super::*;
use crate::scenario::{Activation, ActivationLaw};
use SignatureKind as K;

const ALL: [K; 7] =
    [K::Wbe, K::WbeProjected, K::QuantisedWbe, K::Musa, K::Grassmannian, K::WeightedOptimum, K::DirectSearch];

fn config(users: usize, signature_length: usize) -> NomaConfig {
    NomaConfig { users, signature_length, ..NomaConfig::default() }
}

fn value(kind: K, c: &NomaConfig) -> f64 {
    weighted_correlation(&signature_set(kind, c).unwrap(), &c.activation_prob())
}

#[test]
fn every_set_has_unit_norm_columns_and_respects_the_bound() {
    for c in [config(6, 4), config(5, 2), config(1, 3), config(4, 4)] {
        let bound = weighted_welch_bound(&c.activation_prob(), c.signature_length);
        for kind in ALL {
            // More chips than users, or a dominant user: some sets do not exist.
            let Ok(set) = signature_set(kind, &c) else {
                assert!(matches!(kind, K::Wbe | K::QuantisedWbe), "{kind:?}");
                continue;
            };
            assert_eq!((set.length(), set.columns(), set.sequences()), (c.signature_length, c.users, 1));
            for n in 0..c.users {
                let norm: f64 = set.column(n).iter().map(|v| v.norm_sqr()).sum();
                assert!((norm - 1.0).abs() < 1e-12, "{kind:?}");
            }
            assert!(weighted_correlation(&set, &c.activation_prob()) > bound - 1e-12, "{kind:?}");
            assert_eq!(set, signature_set(kind, &c).unwrap(), "{kind:?} is the same every time");
        }
    }
}

#[test]
fn the_weighted_optimum_meets_the_bound() {
    for (users, length) in [(6, 4), (12, 8), (7, 3), (20, 10)] {
        for law in [ActivationLaw::Asymmetric, ActivationLaw::High] {
            let c = NomaConfig { activation: Activation::Law(law), ..config(users, length) };
            let bound = weighted_welch_bound(&c.activation_prob(), length);
            let found = value(K::WeightedOptimum, &c);
            assert!((found - bound).abs() < 1e-9, "{users} {length} {law:?}: {found} {bound}");
        }
    }
}

#[test]
fn projected_sets_meet_the_unweighted_bound() {
    for (users, length) in [(6, 4), (9, 7), (64, 32)] {
        let ones = vec![1.0; users];
        let found = weighted_correlation(&signature_set(K::WbeProjected, &config(users, length)).unwrap(), &ones);
        assert!((found - weighted_welch_bound(&ones, length)).abs() < 1e-10, "{users} {length}: {found}");
    }
    // Fewer users than chips are orthogonal.
    assert!(value(K::WbeProjected, &config(3, 5)) < 1e-20);
}

#[test]
fn searches_reach_what_is_known() {
    let c = config(6, 4);
    // An independent direct search reaches 2.835e-2, the MUSA set of the NOMA signature paper has 3.73e-2. This search: 2.811e-2.
    let direct = value(K::DirectSearch, &c);
    assert!(direct <= 2.84e-2, "{direct}");
    let musa = value(K::Musa, &c);
    assert!((3.3e-2..4.0e-2).contains(&musa), "{musa}");
    // Best known packing of six lines in four complex dimensions: sqrt(3/28).
    let coherence = signature_set(K::Grassmannian, &c).unwrap().coherence();
    assert!(coherence < (3.0_f64 / 28.0).sqrt() + 2e-4, "{coherence}");
    // An equiangular set exists here, so the Welch bound on the maximum is met.
    let coherence = signature_set(K::Grassmannian, &config(7, 3)).unwrap().coherence();
    assert!(coherence < (4.0_f64 / 18.0).sqrt() + 3e-4, "{coherence}");
}

#[test]
fn integer_tables_are_the_sets() {
    let c = config(6, 4);
    for kind in ALL {
        let table = integer_signatures(kind, &c).unwrap();
        assert_eq!(table.is_some(), matches!(kind, K::QuantisedWbe | K::Musa | K::DirectSearch));
        if let Some(table) = table {
            assert_eq!(table.normalised().unwrap(), signature_set(kind, &c).unwrap());
            assert!(table.data.iter().all(|(a, b)| a.unsigned_abs().max(b.unsigned_abs()) as u32 <= table.levels));
            assert!(table.energies().iter().all(|e| *e > 0));
        }
    }
}

#[test]
fn what_is_impossible_is_named() {
    let c = NomaConfig { activation: Activation::PerUser(vec![0.9, 0.1, 0.1, 0.1]), ..config(4, 2) };
    let message = signature_set(K::WeightedOptimum, &c).unwrap_err().to_string();
    assert!(message.contains("0.9") && message.contains("sum w / 2"), "{message}");
}
