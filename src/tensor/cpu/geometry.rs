//! Images with a border of zeros, and where the taps of a convolution read in them.

use std::ops::Range;

use super::element::Element;

/// Sizes of a convolution.
#[derive(Debug, Clone, Copy)]
pub struct ConvShape {
    /// Images B.
    pub images: usize,
    /// Input channels C.
    pub inputs: usize,
    /// Output channels C'.
    pub outputs: usize,
    /// Height and width of an image.
    pub size: [usize; 2],
    /// Height and width of the kernel, both odd.
    pub kernel: [usize; 2],
    /// Distance between the taps.
    pub dilation: usize,
    /// The input passes through an exponential linear unit first.
    pub activate: bool,
}

impl ConvShape {
    /// From the shapes of the images `[B, C, H, W]` and of the weights `[C', C, k, k']`.
    pub fn of(images: &burn::tensor::Shape, weight: &burn::tensor::Shape, dilation: usize, activate: bool) -> Self {
        Self {
            images: images[0],
            inputs: images[1],
            outputs: weight[0],
            size: [images[2], images[3]],
            kernel: [weight[2], weight[3]],
            dilation,
            activate,
        }
    }

    /// Pixels of an image.
    #[inline]
    pub fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Taps of the kernel.
    #[inline]
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}

/// Layout of images with a border that is wide enough for all taps, in rows of whole registers.
pub struct Geometry {
    height: usize,
    width: usize,
    /// Height of the kernel.
    taps: usize,
    /// Rows between taps.
    dilation: usize,
    /// Distance of neighbouring rows.
    stride: usize,
    /// Numbers of one channel.
    pub plane: usize,
    /// Where the image begins in its plane.
    pub centre: usize,
    /// Registers of a row.
    pub vectors: usize,
    /// Numbers of a register.
    pub lanes: usize,
    /// First pixel of every register, row by row, relative to a tap's view of the image.
    pub positions: Vec<usize>,
    /// `[kernel row, channel, kernel column]`: where the view of a tap begins.
    pub offsets: Vec<usize>,
}

impl Geometry {
    /// For `channels` channels of a convolution, in registers of `lanes` numbers.
    pub fn new(shape: &ConvShape, channels: usize, lanes: usize) -> Self {
        let ([height, width], [kh, kw], d) = (shape.size, shape.kernel, shape.dilation);
        let (top, left) = (kh / 2 * d, kw / 2 * d);
        let vectors = width.div_ceil(lanes);
        let stride = vectors * lanes + 2 * left;
        let plane = (height + 2 * top) * stride;
        let positions = (0..height).flat_map(|y| (0..vectors).map(move |v| y * stride + v * lanes)).collect();
        let of_row = |i: usize| (0..channels).flat_map(move |c| (0..kw).map(move |j| c * plane + (i * stride + j) * d));
        let offsets = (0..kh).flat_map(of_row).collect();
        Self {
            height,
            width,
            taps: kh,
            dilation: d,
            stride,
            plane,
            centre: top * stride + left,
            vectors,
            lanes,
            positions,
            offsets,
        }
    }

    /// Width of the image.
    #[inline]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels of the image.
    #[inline]
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// The farthest place at which a register is read.
    #[inline]
    pub fn last(&self) -> usize {
        self.offsets.iter().max().unwrap_or(&0) + self.positions.last().unwrap_or(&0)
    }

    /// Entries of `offsets` for one row of the kernel.
    #[inline]
    pub fn taps_of_row(&self) -> usize {
        self.offsets.len() / self.taps
    }

    /// Rows of the kernel that see anything but zeros from some of the rows `first..=last`.
    #[inline]
    pub fn live_taps(&self, first: usize, last: usize) -> Range<usize> {
        let (half, d) = (self.taps / 2, self.dilation);
        // Row y sees y + (i - half) d, which must lie in 0..height.
        let above = (last / d).min(half);
        let below = ((self.height - 1 - first) / d).min(half);
        half - above..half + below + 1
    }

    /// Rows of the image from which a row of the kernel sees anything but zeros.
    #[inline]
    pub fn live_rows(&self, tap: usize) -> Range<usize> {
        let (half, d) = (self.taps / 2, self.dilation);
        let from = (half.saturating_sub(tap) * d).min(self.height);
        let to = self.height.saturating_sub(tap.saturating_sub(half) * d);
        from..to.max(from)
    }

    /// Copies `f(x)` of the channels of an image inside of the borders of `out`.
    #[inline(always)]
    pub fn fill<T: Element>(&self, out: &mut [T], x: &[T], f: impl Fn(T) -> T) {
        for (out, x) in out.chunks_exact_mut(self.plane).zip(x.chunks_exact(self.height * self.width)) {
            for (out, x) in out[self.centre..].chunks_mut(self.stride).zip(x.chunks_exact(self.width)) {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = f(x);
                }
            }
        }
    }
}
