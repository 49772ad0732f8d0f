//! What a measurement was taken on. Figures without it mean nothing.

use serde::{Deserialize, Serialize};

/// A machine, as far as it tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    /// Instruction sets that matter for the encoder.
    pub instructions: Vec<String>,
    pub memory_gib: u64,
    pub system: String,
    /// Of the program's optimisation: `release` or `debug`.
    pub build: String,
    pub version: String,
}

impl Machine {
    pub fn this() -> Self {
        use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(what).ok();
        let processor = system.as_ref().and_then(|system| system.cpus().first());
        Self {
            processor: processor
                .map_or("unknown", |cpu| cpu.brand())
                .trim()
                .to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            instructions: instructions(),
            memory_gib: system.map_or(0, |system| system.total_memory().div_ceil(1 << 30)),
            system: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned()),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            }
            .to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// One line.
    pub fn description(&self) -> String {
        let mut out = format!(
            "{}, {} cores, {} GiB, {}, jianbao {}",
            self.processor, self.cores, self.memory_gib, self.system, self.version
        );
        if !self.instructions.is_empty() {
            out.push_str(&format!(" ({})", self.instructions.join(", ")));
        }
        if self.build == "debug" {
            out.push_str(": a debug build, its speed means nothing");
        }
        out
    }
}

#[cfg(target_arch = "x86_64")]
fn instructions() -> Vec<String> {
    [
        ("AVX2", std::is_x86_feature_detected!("avx2")),
        ("AVX-512", std::is_x86_feature_detected!("avx512f")),
        ("VNNI", std::is_x86_feature_detected!("avx512vnni")),
    ]
    .into_iter()
    .filter(|&(_, there)| there)
    .map(|(name, _)| name.to_owned())
    .collect()
}

#[cfg(target_arch = "aarch64")]
fn instructions() -> Vec<String> {
    [
        ("NEON", std::arch::is_aarch64_feature_detected!("neon")),
        (
            "dot product",
            std::arch::is_aarch64_feature_detected!("dotprod"),
        ),
        ("I8MM", std::arch::is_aarch64_feature_detected!("i8mm")),
    ]
    .into_iter()
    .filter(|&(_, there)| there)
    .map(|(name, _)| name.to_owned())
    .collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn instructions() -> Vec<String> {
    Vec::new()
}

/// The most memory this process held since [`forget_peak_memory`], in bytes, where the system tells (Linux).
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Begins a new measurement of the peak; says whether the system allows it.
pub fn forget_peak_memory() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Energy that the processor package used since it was switched on, in joules, where the machine tells (Intel and AMD
/// RAPL, readable by this user). It starts again from 0 now and then.
pub fn energy() -> Option<f64> {
    let text = std::fs::read_to_string("/sys/class/powercap/intel-rapl:0/energy_uj").ok()?;
    Some(text.trim().parse::<f64>().ok()? / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let machine = Machine::this();
        assert!(machine.cores >= 1 && machine.memory_gib >= 1, "{machine:?}");
        assert!(machine.description().contains("cores"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_of_memory_is_seen() {
        let before = peak_memory().unwrap();
        let held = vec![1u8; 64 << 20];
        assert!(std::hint::black_box(&held).iter().all(|&b| b == 1));
        assert!(peak_memory().unwrap() >= before.min(64 << 20));
    }
}
