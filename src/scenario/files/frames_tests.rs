use super::*;

const F: usize = 2;
const L: usize = 3;
const M: usize = 2;
const N: usize = 2;
const Q: usize = 2;

fn c(v: f64) -> C64 {
    C64::new(v, -v)
}

fn batch() -> FrameBatch {
    let pilots = Pilots::new(L, N * Q, Q, 3.0, (0..L * N * Q).map(|i| c(i as f64)).collect()).unwrap();
    let model = AccessModel::new(Arc::new(pilots), M, 0.5, vec![0.1, 0.2]).unwrap();
    let y = (0..F * L * M).map(|i| c(0.5 * i as f64)).collect();
    let batch = FrameBatch::new(model, y, Beta::per_frame(N, vec![1.0, 2.0, 3.0, 4.0]).unwrap()).unwrap();
    batch.with_truth(Truth::new(vec![0, 1, 2, 0], vec![c(1.0); F * N * M])).unwrap()
}

/// The sample frames, with one array replaced by `change`.
fn arrays(change: impl Fn(NpzWriter) -> (Option<&'static str>, NpzWriter)) -> Result<FrameBatch, IoError> {
    let dir = temp_dir::TempDir::new().unwrap();
    let path = dir.path().join("f.npz");
    let b = batch();
    let (replaced, mut out) = change(NpzWriter::new());
    let keep = |name: &str| replaced != Some(name);
    if keep("y") {
        out = out.complex("y", &[F, L, M], b.y());
    }
    if keep("pilots") {
        out = out.complex("pilots", &[L, N * Q], b.model().pilots().data());
    }
    if keep("noise_var") {
        out = out.scalar("noise_var", 0.5);
    }
    if keep("activity_prob") {
        out = out.scalar("activity_prob", 0.1);
    }
    if keep("sequences") {
        out = out.int("sequences", &[], &[2]);
    }
    out.write(&path).unwrap();
    read_frames(&path)
}

#[test]
fn round_trip() {
    let dir = temp_dir::TempDir::new().unwrap();
    let path = dir.path().join("f.npz");
    let b = batch();
    write_frames(&path, &b).unwrap();
    let r = read_frames(&path).unwrap();
    assert_eq!((r.frames(), r.y(), r.beta(), r.truth()), (F, b.y(), b.beta(), b.truth()));
    assert_eq!(r.model().pilots(), b.model().pilots());
    assert_eq!((r.model().antennas(), r.model().noise_var()), (M, 0.5));
    assert_eq!(r.model().activity_prob(), b.model().activity_prob());
}

#[test]
fn defaults_of_absent_arrays() {
    let r = arrays(|out| (Some("sequences"), out)).unwrap();
    assert_eq!((r.model().sequences(), r.model().devices()), (1, N * Q));
    assert_eq!(r.beta(), &Beta::ones(N * Q));
    assert_eq!(r.model().pilots().energy(), 1.0);
    assert_eq!(r.model().activity_prob(), vec![0.1; N * Q]);
    assert!(r.truth().is_none());
}

#[test]
fn every_bad_array_is_a_clear_error() {
    type Change = fn(NpzWriter) -> (Option<&'static str>, NpzWriter);
    let cases: [(&str, &str, Change); 19] = [
        ("y", "[F, L, M]", |o| (Some("y"), o.complex("y", &[L, M], &[c(1.0); L * M]))),
        ("y", "[0, 3, 2]", |o| (Some("y"), o.complex("y", &[0, L, M], &[]))),
        ("y", "NaN", |o| (Some("y"), o.complex("y", &[1, L, M], &[C64::new(0.0, f64::NAN); L * M]))),
        ("y", "inf", |o| (Some("y"), o.complex("y", &[1, L, M], &[C64::new(f64::INFINITY, 0.0); L * M]))),
        ("pilots", "[3, N*Q]", |o| (Some("pilots"), o.complex("pilots", &[4, 3], &[c(1.0); 12]))),
        ("pilots", "[3, N*Q]", |o| (Some("pilots"), o.complex("pilots", &[3, 2, 2], &[c(1.0); 12]))),
        ("pilots", "NaN", |o| (Some("pilots"), o.complex("pilots", &[3, 4], &[C64::new(f64::NAN, 0.0); 12]))),
        ("noise_var", "> 0", |o| (Some("noise_var"), o.scalar("noise_var", 0.0))),
        ("noise_var", "> 0", |o| (Some("noise_var"), o.scalar("noise_var", -1.0))),
        ("noise_var", "> 0", |o| (Some("noise_var"), o.scalar("noise_var", f64::NAN))),
        ("noise_var", "one number", |o| (Some("noise_var"), o.real("noise_var", &[2], &[1.0, 1.0]))),
        ("activity_prob", "(0, 1)", |o| (Some("activity_prob"), o.scalar("activity_prob", 1.0))),
        ("activity_prob", "[N] = [2]", |o| (Some("activity_prob"), o.real("activity_prob", &[3], &[0.1; 3]))),
        ("activity_prob", "has no array", |o| (Some("activity_prob"), o)),
        ("sequences", "divides the 4", |o| (Some("sequences"), o.int("sequences", &[], &[3]))),
        ("sequences", "Q >= 1", |o| (Some("sequences"), o.int("sequences", &[], &[0]))),
        ("beta", "> 0", |o| (None, o.real("beta", &[2], &[1.0, 0.0]))),
        ("beta", "[F, N] = [2, 2]", |o| (None, o.real("beta", &[3], &[1.0; 3]))),
        ("activity", "1..=2", |o| {
            (None, o.int("activity", &[F, N], &[0, 3, 0, 0]).complex("channel", &[F, N, M], &[c(1.0); F * N * M]))
        }),
    ];
    for (i, (array, says, change)) in cases.iter().enumerate() {
        let message = arrays(change).unwrap_err().to_string();
        assert!(message.contains(array) && message.contains(says), "case {i}: {message}");
    }
}

#[test]
fn decisions_are_written_with_their_shapes() {
    let dir = temp_dir::TempDir::new().unwrap();
    let path = dir.path().join("d.npz");
    let decisions = Decisions {
        activity: vec![0, 1, 2, 0],
        score: vec![0.5; F * N * Q],
        x: Some(vec![c(1.0); F * N * Q * M]),
        converged: Some((0..F).map(|f| f > 0).collect()),
        residual: Some((0..F).map(|f| f as f64).collect()),
        ..Decisions::default()
    };
    write_decisions(&path, &decisions, &batch()).unwrap();
    let file = NpzFile::open(&path).unwrap();
    assert_eq!(file.int("activity").unwrap().shape, [F, N]);
    assert_eq!(file.complex("x").unwrap().shape, [F, N * Q, M]);
    assert!(!file.contains("gamma"));
    assert_eq!(file.int("converged").unwrap().data[..2], [0, 1]);
    assert_eq!(file.real("residual").unwrap().shape, [F]);
    assert!(write_decisions(&path, &decisions, &batch().part(0..1)).is_err());
}

#[test]
fn groups_are_written_and_read_back() {
    let dir = temp_dir::TempDir::new().unwrap();
    let path = dir.path().join("g.npz");
    let pilots = Pilots::new(L, 4, 1, 1.0, vec![c(1.0); L * 4]).unwrap();
    let model = AccessModel::new(Arc::new(pilots), M, 0.5, vec![0.25; 4]).unwrap();
    for groups in [Groups { count: 2, single: false }, Groups { count: 4, single: true }] {
        let model = model.clone().with_groups(groups).unwrap();
        let batch = FrameBatch::new(model, vec![c(1.0); F * L * M], Beta::ones(4)).unwrap();
        write_frames(&path, &batch).unwrap();
        assert_eq!(read_frames(&path).unwrap().model().groups(), Some(groups));
    }
    let error = model.with_groups(Groups { count: 3, single: false }).unwrap_err();
    assert!(error.to_string().contains("divisor of N = 4"), "{error}");
}

#[test]
fn frames_of_system_d_lie_the_other_way_round() {
    let dir = temp_dir::TempDir::new().unwrap();
    let path = dir.path().join("d.npz");
    // Entries tell their place, and both readings of the shapes would fit: M = N.
    let number = |n: usize| (0..n).map(|i| c(i as f64 + 1.0)).collect::<Vec<_>>();
    let pilots = Pilots::new(L, 2, 1, 6.0, number(L * 2)).unwrap();
    let model = AccessModel::new(Arc::new(pilots), M, 0.5, vec![0.25; 2]).unwrap();
    let truth = Truth::new(vec![0, 1, 1, 0], number(F * 2 * M));
    let batch = FrameBatch::new(model, number(F * L * M), Beta::ones(2)).unwrap().with_truth(truth).unwrap();
    write_frames_as(&path, &batch, Layout::Coherent).unwrap();
    let file = NpzFile::open(&path).unwrap();
    let y = file.complex("y").unwrap();
    assert_eq!((y.shape, y.data[1]), (vec![F, M, L], batch.y()[M]));
    assert_eq!(file.complex("pilots").unwrap().data[..L], batch.model().pilots().column(0));
    let (read, layout) = read_frames_as(&path).unwrap();
    assert_eq!((layout, read.y(), read.truth()), (Layout::Coherent, batch.y(), batch.truth()));
    assert_eq!(read.model().pilots(), batch.model().pilots());
    let decisions = Decisions {
        activity: vec![0; F * 2],
        score: vec![0.0; F * 2],
        x: Some(number(F * 2 * M)),
        ..Decisions::default()
    };
    write_decisions_as(&path, &decisions, &batch, Layout::Coherent).unwrap();
    let x = NpzFile::open(&path).unwrap().complex("x").unwrap();
    assert_eq!((x.shape, x.data[1]), (vec![F, M, 2], decisions.x.unwrap()[M]));
}
