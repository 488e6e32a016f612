//! A picture: curves on two logarithmic axes, over the number of Ps.

use std::error::Error;

use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::Curve;
use crate::report::failure::Failure;

type Drawn<T = ()> = Result<T, Box<dyn Error>>;

const SIZE: (u32, u32) = (760, 460);
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(33, 37, 41);
const FAINT: RGBColor = RGBColor(206, 212, 218);
/// Colours that are told apart also by those who see fewer.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 86, 86),
];

/// The curves as an SVG document.
///
/// # Errors
///
/// If there is nothing to draw, or the drawing library fails.
pub(super) fn render(title: &str, unit: &str, curves: &[Curve]) -> Result<String, Failure> {
    svg(title, unit, curves)
        .map_err(|error| Failure::run(format!("cannot draw `{title}`: {error}")))
}

fn svg(title: &str, unit: &str, curves: &[Curve]) -> Drawn<String> {
    let rates = || curves.iter().flat_map(|curve| &curve.points);
    let least = rates()
        .map(|point| point.rate)
        .fold(f64::INFINITY, f64::min);
    let most = rates().map(|point| point.rate).fold(0.0, f64::max);
    let last = rates().map(|point| point.procs).max().unwrap_or(1);
    if !(least > 0.0 && least.is_finite()) {
        return Err("a curve without a rate".into());
    }
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let style = |size: i32| (FONT, size).into_font().color(&INK);
    area.draw_text(title, &style(19), (20, 14))?;
    let legend = 22 * curves.len() as i32;
    let mut chart = ChartBuilder::on(&area)
        .margin_top(48 + legend)
        .margin_right(24)
        .margin_bottom(10)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .build_cartesian_2d(
            (1.0..last as f64 * 1.1).log_scale().base(2.0),
            (least / 1.5..most * 1.5).log_scale(),
        )?;
    chart
        .configure_mesh()
        .bold_line_style(FAINT)
        .light_line_style(FAINT.mix(0.3))
        .axis_style(INK)
        .x_desc("Ps, each on a CPU of its own")
        .y_desc(format!("million {unit} a second"))
        .label_style((FONT, 13, &INK))
        .y_label_formatter(&|rate| format!("{rate}"))
        .draw()?;
    for (number, curve) in curves.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let points = curve.points.iter();
        let points: Vec<_> = points
            .map(|point| (point.procs as f64, point.rate))
            .collect();
        if number == 0 {
            let (x, y) = points[0];
            let end = (most / y * x).min(last as f64);
            let ideal = [(x, y), (end, y * end / x)];
            chart.draw_series([DashedPathElement::new(ideal, 4, 4, INK.stroke_width(1))])?;
        }
        chart.draw_series([PathElement::new(points.clone(), colour.stroke_width(2))])?;
        chart.draw_series(points.iter().map(|&at| Circle::new(at, 3, colour.filled())))?;
        let y = 46 + 22 * number as i32;
        area.draw(&Rectangle::new([(24, y + 5), (46, y + 9)], colour.filled()))?;
        let name = match number {
            0 => format!("{} (dashed: as many times as there are Ps)", curve.name),
            _ => curve.name.to_owned(),
        };
        area.draw_text(&name, &style(14), (54, y))?;
    }
    area.present()?;
    drop(chart);
    drop(area);
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaling::run::Outcome;

    fn curve(rates: &[f64]) -> Curve {
        let point = |(number, &rate): (usize, &f64)| Outcome {
            procs: 1 << number,
            rate,
            busiest: "nothing",
            share: 0.0,
            shares: Vec::new(),
        };
        Curve {
            name: "a curve",
            points: rates.iter().enumerate().map(point).collect(),
        }
    }

    #[test]
    fn the_picture_has_its_title_its_curves_and_its_axes() {
        let svg = render("Things", "things", &[curve(&[1.0, 2.0, 3.0])]).unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        for text in ["Things", "a curve", "million things a second", "dashed"] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches("<circle").count(), 3, "a circle for each point");
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        assert!(render("Things", "things", &[curve(&[0.0])]).is_err());
        assert!(render("Things", "things", &[]).is_err());
    }
}
