//! With the feature `cuda`: the encoder's own GPU kernels, compiled to PTX by the `nvcc` that Candle's need as well.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    cuda::build();
}

#[cfg(feature = "cuda")]
mod cuda {
    use cudaforge::KernelBuilder;
    use std::path::PathBuf;

    const FOLDER: &str = "src/encoder/candle/cuda";

    pub fn build() {
        let (kernels, header) = (format!("{FOLDER}/kernels.cu"), format!("{FOLDER}/ptx.cuh"));
        let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it"));
        let built = KernelBuilder::new()
            .source_files([kernels])
            .watch([header])
            .include_path(FOLDER)
            .arg("-std=c++17")
            .arg("-O3")
            .out_dir(out)
            .build_ptx();
        if let Err(error) = built {
            panic!("the kernels of {FOLDER} could not be compiled: {error}");
        }
    }
}
