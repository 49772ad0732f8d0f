//! A transformer layer's parameters: packed on the CPU, plain tensors elsewhere.

use super::attention::Rotary;
use super::cpu::{Matrix, Norm, RowLayer};
use super::roformer::RoFormerConfig;
use super::weights::Weights;
use candle_core::{DType, Device, Result, Tensor};

/// Where a layer's tensors come from, and the sizes of hidden states and of the wide middle.
pub(super) struct LayerSource<'a> {
    pub weights: &'a mut Weights,
    pub prefix: String,
    pub hidden: usize,
    pub middle: usize,
    pub epsilon: f32,
}

impl<'a> LayerSource<'a> {
    pub(super) fn new(config: &RoFormerConfig, weights: &'a mut Weights) -> Self {
        Self {
            weights,
            prefix: String::new(),
            hidden: config.hidden_size,
            middle: config.intermediate_size,
            epsilon: config.layer_norm_eps as f32,
        }
    }
}

impl LayerSource<'_> {
    /// The same for layer `i`.
    pub(super) fn layer(&mut self, i: usize) -> &mut Self {
        self.prefix = format!("layer.{i}.");
        self
    }

    /// Weight (outputs × inputs) and bias.
    fn matrix(
        &mut self,
        part: &str,
        outputs: usize,
        inputs: usize,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<(Tensor, Tensor), String> {
        let name = format!("{}{part}", self.prefix);
        let weight =
            self.weights
                .take(&format!("{name}.weight"), &[outputs, inputs], dtype, device)?;
        let bias = self
            .weights
            .take(&format!("{name}.bias"), &[outputs], dtype, device)?;
        Ok((weight, bias))
    }

    /// Weight and shift.
    fn norm(
        &mut self,
        part: &str,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<(Tensor, Tensor), String> {
        let name = format!("{}{part}", self.prefix);
        let mut vector = |kind: &str| {
            self.weights
                .take(&format!("{name}.{kind}"), &[self.hidden], dtype, device)
        };
        Ok((vector("weight")?, vector("bias")?))
    }

    /// All tensors of a layer: query, key and value as one matrix, the three others, the two norms.
    fn take(&mut self, dtype: DType, device: &Device) -> std::result::Result<LayerTensors, String> {
        let (h, m) = (self.hidden, self.middle);
        let (q, k, v) = (
            self.matrix("query", h, h, dtype, device)?,
            self.matrix("key", h, h, dtype, device)?,
            self.matrix("value", h, h, dtype, device)?,
        );
        let join = |parts: [Tensor; 3]| Tensor::cat(&parts, 0).map_err(|e| e.to_string());
        let matrices = [
            (join([q.0, k.0, v.0])?, join([q.1, k.1, v.1])?),
            self.matrix("attention_output", h, h, dtype, device)?,
            self.matrix("intermediate", m, h, dtype, device)?,
            self.matrix("output", h, m, dtype, device)?,
        ];
        let norms = [
            self.norm("attention_norm", dtype, device)?,
            self.norm("output_norm", dtype, device)?,
        ];
        Ok((matrices, norms))
    }
}

/// Weights with their biases, norms with their shifts.
type LayerTensors = ([(Tensor, Tensor); 4], [(Tensor, Tensor); 2]);

/// [`LayerTensors`] as plain numbers: query, key and value as one matrix, then the attention's output, the wide middle and the
/// layer's output; the attention's norm and the output's.
pub(super) struct LayerValues {
    pub matrices: [(Vec<f32>, Vec<f32>); 4],
    pub norms: [(Vec<f32>, Vec<f32>); 2],
}

impl LayerSource<'_> {
    /// All tensors of a layer as numbers.
    pub(super) fn values(&mut self) -> std::result::Result<LayerValues, String> {
        let (matrices, norms) = self.take(DType::F32, &Device::Cpu)?;
        let numbers = |(weight, other): &(Tensor, Tensor)| -> Result<(Vec<f32>, Vec<f32>)> {
            Ok((
                weight.flatten_all()?.to_vec1()?,
                other.flatten_all()?.to_vec1()?,
            ))
        };
        let build = || -> Result<LayerValues> {
            let [qkv, attention_output, intermediate, output] = &matrices;
            Ok(LayerValues {
                matrices: [
                    numbers(qkv)?,
                    numbers(attention_output)?,
                    numbers(intermediate)?,
                    numbers(output)?,
                ],
                norms: [numbers(&norms[0])?, numbers(&norms[1])?],
            })
        };
        build().map_err(|e| e.to_string())
    }
}

impl RowLayer {
    /// For the CPU in f32, or with int8 matrices.
    pub(super) fn load(
        source: &mut LayerSource<'_>,
        int8: bool,
    ) -> std::result::Result<Self, String> {
        let LayerValues { matrices, norms } = source.values()?;
        let [qkv, attention_output, intermediate, output] =
            matrices.map(|(weight, bias)| Matrix::new(&weight, bias, int8));
        let [attention_norm, output_norm] = norms.map(|(weight, shift)| Norm {
            weight,
            shift,
            epsilon: source.epsilon,
        });
        Ok(Self {
            qkv,
            attention_output,
            attention_norm,
            intermediate,
            output,
            output_norm,
        })
    }
}

/// Plain tensors: weights as inputs × outputs.
pub(super) struct DeviceLayer {
    qkv: (Tensor, Tensor),
    attention_output: (Tensor, Tensor),
    intermediate: (Tensor, Tensor),
    output: (Tensor, Tensor),
    norms: [(Tensor, Tensor); 2],
    epsilon: f32,
}

impl DeviceLayer {
    /// For any device and floating-point format.
    pub(super) fn load(
        source: &mut LayerSource<'_>,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<Self, String> {
        let (matrices, norms) = source.take(dtype, device)?;
        let linear = |(weight, bias): &(Tensor, Tensor)| {
            let weight = weight.t().and_then(|t| t.contiguous());
            Ok::<_, String>((weight.map_err(|e| e.to_string())?, bias.clone()))
        };
        Ok(Self {
            qkv: linear(&matrices[0])?,
            attention_output: linear(&matrices[1])?,
            intermediate: linear(&matrices[2])?,
            output: linear(&matrices[3])?,
            norms,
            epsilon: source.epsilon,
        })
    }

    /// Hidden states (tokens × hidden) of a flat batch → the next layer's.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        rotary: &Rotary,
        cumulative_lengths: &[usize],
    ) -> Result<Tensor> {
        let linear =
            |x: &Tensor, (weight, bias): &(Tensor, Tensor)| x.matmul(weight)?.broadcast_add(bias);
        let norm = |x: &Tensor, (weight, shift): &(Tensor, Tensor)| {
            candle_nn::ops::layer_norm(x, weight, shift, self.epsilon)
        };
        let attended = rotary.attend(&linear(x, &self.qkv)?, cumulative_lengths)?;
        let x = norm(
            &(linear(&attended, &self.attention_output)? + x)?,
            &self.norms[0],
        )?;
        let inner = linear(&x, &self.intermediate)?.gelu_erf()?;
        norm(&(linear(&inner, &self.output)? + &x)?, &self.norms[1])
    }
}
