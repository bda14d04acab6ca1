//! Random numbers by place: the same for the same seed, purpose and number, whatever was drawn before.

/// A generator of random numbers (SplitMix64; Steele, Lea and Flood, OOPSLA 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Makes the generator of item `number` of one `purpose`.
    pub(crate) fn of(seed: u64, purpose: u64, number: u64) -> Self {
        let mut start = Self(seed ^ purpose.rotate_left(48));
        let keyed = start.next() ^ number.wrapping_mul(0xBB67_AE85_84CA_A73B);
        let mut random = Self(keyed);
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in [0, 1).
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Tells whether something of this probability happens.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// A number in 0..n.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let product = u128::from(self.next()) * n as u128;
        usize::try_from(product >> 64).expect("the upper half of a product is below its factor")
    }

    /// A number from a log-normal distribution.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        // Box and Muller; 1 - share is never 0.
        let radius = (-2.0 * (1.0 - self.share()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.share()).cos();
        median * (sigma * normal).exp()
    }

    /// A number n with probability about 1 / (n + shift)^exponent, without an upper bound but `max`: the sizes that follow are
    /// those of a power law.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=max before")]
    pub(crate) fn power_law(&mut self, shift: f64, exponent: f64, max: u64) -> u64 {
        let drawn = shift * ((1.0 - self.share()).powf(-1.0 / (exponent - 1.0)) - 1.0);
        drawn.clamp(0.0, max as f64) as u64
    }
}
