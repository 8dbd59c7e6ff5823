//! The choice of a device, and single-precision gradients on every device.

use burn::tensor::{DType, Device, Tensor};
use grantfree::tensor::{
    BackendChoice, BackendError, adapters, choose, compiled, covariance_score, row_dot, row_onsager, row_scale,
};

use super::{cpu, devices, normals, relative, tensor, values};

fn has_hardware() -> bool {
    adapters().iter().any(|a| !a.is_software() && a.api != "Gl")
}

#[test]
fn auto_takes_a_real_gpu_or_says_why_it_takes_the_cpu() {
    let chosen = choose(BackendChoice::Auto).unwrap();
    assert!(chosen.note.contains("chosen by auto"), "{}", chosen.note);
    if has_hardware() {
        assert_eq!(chosen.name, "wgpu", "{}", chosen.note);
        assert!(!chosen.adapter.unwrap().is_software());
    } else {
        assert_eq!(chosen.name, compiled()[0]);
        assert!(chosen.adapter.is_none());
        let reason = match adapters().first() {
            Some(software) => format!("no hardware graphics adapter found, only {}", software.name),
            None if compiled().contains(&"wgpu") => "no graphics adapter found".into(),
            None => "this build has no wgpu".into(),
        };
        assert!(chosen.note.contains(&reason), "{}", chosen.note);
    }
}

#[test]
fn an_opened_gpu_is_the_adapter_it_is_called() {
    for choice in [BackendChoice::Wgpu, BackendChoice::Vulkan] {
        match choose(choice) {
            Ok(chosen) => {
                let adapter = chosen.adapter.expect("a GPU has an adapter");
                assert!(adapters().contains(&adapter), "{adapter:?}");
                assert!(chosen.note.contains(&adapter.name) && chosen.note.contains(&adapter.api), "{}", chosen.note);
                assert_eq!(chosen.note.contains("software"), adapter.is_software(), "{}", chosen.note);
                #[cfg(feature = "wgpu")]
                assert_eq!(chosen.device.identity().map(|i| i.name), Some(adapter.name));
                // A second choice is the same device: both tensors must be usable together.
                let ones = |device: &Device| tensor(&[1.0, 2.0], [1, 2], device, DType::F32);
                let sum = ones(&chosen.device) + ones(&choose(choice).unwrap().device);
                assert_eq!(values(sum), [2.0, 4.0]);
            }
            Err(BackendError::NotCompiled { feature, .. }) => {
                assert_eq!(feature, "wgpu");
                assert!(!compiled().contains(&"wgpu"));
            }
            Err(BackendError::NoAdapter { backend, .. }) => {
                assert_eq!(backend, choice.name());
                assert!(!adapters().iter().any(|a| a.api == "Vulkan"));
            }
            Err(e) => panic!("{e}"),
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn interfaces_of_other_systems_are_clear_errors() {
    for (choice, system) in [(BackendChoice::Metal, "macOS"), (BackendChoice::Dx12, "Windows")] {
        let error = choose(choice).unwrap_err().to_string();
        let want = format!("backend {} exists on {system} only, this is linux; try --backend auto", choice.name());
        assert_eq!(error, want);
    }
}

const FRAMES: usize = 3;
const ANTENNAS: usize = 5;
/// Two vectors of eight and a rest.
const COLUMNS: usize = 19;
const LENGTH: usize = 4;

/// Gradients of a weighted sum of every kernel, one after the other, for all inputs.
fn gradients(device: &Device, dtype: DType) -> Vec<(&'static str, Vec<f64>)> {
    let device = &device.clone().autodiff();
    let put =
        |seed, shape: [usize; 2]| tensor(&normals(seed, shape[0] * shape[1]), shape, device, dtype).require_grad();
    let z = || put(1, [FRAMES * ANTENNAS, 2 * COLUMNS]);
    let t = || put(2, [FRAMES, COLUMNS]);
    let r = || put(3, [FRAMES * ANTENNAS, 2 * LENGTH]);
    let s = || put(5, [2 * LENGTH, COLUMNS]);
    let gradients = |name, inputs: Vec<Tensor<2>>, kernel: &dyn Fn(&[Tensor<2>]) -> Tensor<2>| {
        let out = kernel(&inputs);
        let weights = put(6, out.dims());
        let grads = (out * weights.detach()).sum().backward();
        (name, inputs.iter().flat_map(|i| values(i.grad(&grads).expect("tracked"))).collect::<Vec<f64>>())
    };
    vec![
        gradients("row_dot", vec![z(), put(7, [FRAMES * ANTENNAS, 2 * COLUMNS])], &|i| {
            row_dot(i[0].clone(), i[1].clone(), ANTENNAS)
        }),
        gradients("row_scale", vec![z(), t()], &|i| row_scale(i[0].clone(), i[1].clone(), ANTENNAS)),
        gradients("row_onsager", vec![z(), t(), r()], &|i| {
            row_onsager(i[0].clone(), i[1].clone(), i[2].clone(), ANTENNAS)
        }),
        gradients("covariance_score", vec![t(), s(), r()], &|i| {
            // Powers are not negative.
            covariance_score(i[0].clone().powi_scalar(2), i[1].clone(), i[2].clone(), ANTENNAS, 0.5)
        }),
    ]
}

#[test]
fn single_precision_gradients_are_those_of_double_precision() {
    let want = gradients(&cpu(), DType::F64);
    for (backend, device) in devices() {
        for ((name, want), (_, got)) in want.iter().zip(gradients(&device, DType::F32)) {
            let error = relative(&got, want);
            assert!(error < 2e-5, "{name} on {backend}: relative difference {error:.1e}");
        }
    }
}

#[test]
fn arrays_beyond_one_grid_dimension_are_complete() {
    // 64 threads a workgroup and at most 65535 workgroups in a dimension: 4.2 million entries is where it ends.
    let (rows, width, antennas) = (20_000, 256, 4);
    for (name, device) in devices() {
        let z = Tensor::<2>::ones([rows, width], &device);
        let c = Tensor::<1, burn::tensor::Int>::arange(0..(rows / antennas) as i64, &device)
            .float()
            .reshape([rows / antennas, 1])
            .expand([rows / antennas, width / 2]);
        let got = values(row_scale(z, c, antennas));
        let wrong = got.chunks(width).enumerate().position(|(row, v)| v.iter().any(|v| *v != (row / antennas) as f64));
        assert_eq!(wrong, None, "first wrong row on {name}");
    }
}
