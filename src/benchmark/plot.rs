//! Speed against batch size as a picture: where does the GPU overtake the CPU?

use super::report::{Case, Report};
use plotters::prelude::*;
use std::collections::BTreeMap;

/// Points of one device and number format: (tokens a batch, tokens/s).
type Series = BTreeMap<String, Vec<(f64, f64)>>;

/// Okabe and Ito's palette for colour-blind readers, without yellow.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];

/// An SVG of the encoder's speed on one mix (`article` where it was measured, else the first); `None` when the encoder
/// was not measured.
pub fn svg(report: &Report) -> Option<String> {
    let encoder = |case: &&Case| case.stage == "encoder";
    let mix = ["article", "input"]
        .into_iter()
        .find(|&mix| {
            report
                .cases
                .iter()
                .filter(encoder)
                .any(|case| case.mix == mix)
        })
        .or_else(|| {
            report
                .cases
                .iter()
                .find(encoder)
                .map(|case| case.mix.as_str())
        })?;
    let mut series = Series::new();
    for case in report
        .cases
        .iter()
        .filter(encoder)
        .filter(|case| case.mix == mix)
    {
        let name = format!("{} {}", case.device, case.dtype);
        let point = (case.batch_tokens as f64, case.tokens_per_second);
        series.entry(name).or_default().push(point);
    }
    let mut out = String::new();
    draw(&mut out, mix, report, &mut series).ok()?;
    Some(out)
}

fn draw(
    out: &mut String,
    mix: &str,
    report: &Report,
    series: &mut Series,
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || series.values().flatten();
    let low = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
    let high = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    let x = low(&mut points().map(|p| p.0)) / 1.3..high(&mut points().map(|p| p.0)) * 1.3;
    let y = low(&mut points().map(|p| p.1)) / 1.5..high(&mut points().map(|p| p.1)) * 1.5;
    let root = SVGBackend::with_string(out, (900, 560)).into_drawing_area();
    root.fill(&WHITE)?;
    let caption = format!(
        "{} · encoder · {mix} · {}",
        report.model, report.machine.processor
    );
    let mut chart = ChartBuilder::on(&root)
        .caption(caption, ("sans-serif", 17))
        .margin(16)
        .x_label_area_size(42)
        .y_label_area_size(78)
        .build_cartesian_2d(x.log_scale(), y.log_scale())?;
    chart
        .configure_mesh()
        .x_desc("tokens in a batch")
        .y_desc("tokens/s")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    for (i, (name, points)) in series.iter_mut().enumerate() {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let colour = COLOURS[i % COLOURS.len()];
        chart
            .draw_series(
                LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(4),
            )?
            .label(name.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}
