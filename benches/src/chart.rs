//! The report as a picture: a bar for each row on a logarithmic axis.

use std::error::Error;
use std::ops::Range;

use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::{Line, Report, nanoseconds, times};
use crate::rows::{Group, REFERENCE};

type Drawn<T = ()> = Result<T, Box<dyn Error>>;

const WIDTH: u32 = 1080;
/// Above the bars: title, machine, legend.
const HEAD: u32 = 118;
/// Below the bars: the axis and its name.
const FOOT: u32 = 64;
/// One bar and the gap to the next.
const ROW: u32 = 34;
/// Left of the bars: their names.
const NAMES: u32 = 290;
const MARGIN: i32 = 24;
/// The backend knows no font metrics; so wide is a letter of size 14 at most, on average.
const LETTER: i32 = 7;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(33, 37, 41);
const FAINT: RGBColor = RGBColor(206, 212, 218);

/// Colours that stay apart for the colour-blind.
const fn colour(group: Group) -> RGBColor {
    match group {
        Group::Goroutines => RGBColor(0, 114, 178),
        Group::Corosensei => RGBColor(0, 158, 115),
        Group::Threads => RGBColor(213, 94, 0),
    }
}

/// The chart as an SVG document.
///
/// # Errors
///
/// If there is nothing to draw, or the drawing library fails.
pub fn render(report: &Report) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    let height = HEAD + ROW * u32::try_from(report.rows.len())? + FOOT;
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    draw(report, &area)?;
    area.present()?;
    drop(area);
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw(report: &Report, area: &Area<'_>) -> Drawn {
    area.fill(&WHITE)?;
    heading(report, area)?;
    legend(area)?;
    let axis = axis(&report.rows)?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(HEAD)
        .margin_left(NAMES)
        .margin_right(MARGIN)
        .margin_bottom(12)
        .x_label_area_size(FOOT - 12)
        .build_cartesian_2d(axis.clone().log_scale(), 0.0..report.rows.len() as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .bold_line_style(FAINT)
        .light_line_style(FAINT.mix(0.35))
        .axis_style(INK)
        .x_labels(12)
        .x_label_formatter(&|ns| tick(*ns))
        .x_label_style((FONT, 14, &INK))
        .x_desc("nanoseconds an operation, one way (logarithmic)")
        .axis_desc_style((FONT, 14, &INK))
        .draw()?;
    if let Some(reference) = report.line(REFERENCE) {
        let at = reference.summary.median;
        let line = [(at, 0.0), (at, report.rows.len() as f64)];
        chart.draw_series([DashedPathElement::new(line, 4, 4, INK.stroke_width(1))])?;
    }
    let name_style = text(14).pos(Pos::new(HPos::Right, VPos::Center));
    for (index, line) in report.rows.iter().enumerate() {
        let middle = (report.rows.len() - index) as f64 - 0.5;
        let Line { group, summary, .. } = line;
        let bar = [(axis.start, middle + 0.34), (summary.median, middle - 0.34)];
        chart.draw_series([Rectangle::new(bar, colour(*group).filled())])?;
        let whisker = [(summary.p10, middle), (summary.p90, middle)];
        chart.draw_series([PathElement::new(whisker, INK.stroke_width(2))])?;
        let (left, _) = chart.backend_coord(&(axis.start, middle));
        let (right, y) = chart.backend_coord(&(summary.median.max(summary.p90), middle));
        area.draw_text(line.name, &name_style, (left - 10, y))?;
        value_label(area, &value(line), (right + 8, y))?;
    }
    Ok(())
}

fn heading(report: &Report, area: &Area<'_>) -> Drawn {
    let machine = &report.machine;
    area.draw_text("What a switch costs", &text(24), (MARGIN, 20))?;
    let guest = if machine.virtual_machine {
        " (virtual machine)"
    } else {
        ""
    };
    let line = format!(
        "{}{guest}, everything on CPU {}; {}; {}; median of {} rounds",
        machine.cpu,
        report.cpu,
        machine.kernel,
        short_version(&machine.rustc),
        report.rounds
    );
    area.draw_text(&line, &text(14), (MARGIN, 54))?;
    Ok(())
}

fn legend(area: &Area<'_>) -> Drawn {
    let mut x = MARGIN;
    for group in Group::ALL {
        area.draw(&Rectangle::new(
            [(x, 82), (x + 14, 96)],
            colour(group).filled(),
        ))?;
        area.draw_text(group.name(), &text(14), (x + 20, 82))?;
        x += 20 + LETTER * i32::try_from(group.name().len())? + 24;
    }
    let rest = "whisker: 10th to 90th percentile; 2.0x: twice as cheap as the futex hand-over (dashed line)";
    area.draw_text(rest, &text(14), (x, 82))?;
    Ok(())
}

/// A text to the right of this place, on white: grid lines do not cross it.
fn value_label(area: &Area<'_>, label: &str, (x, y): (i32, i32)) -> Drawn {
    let width = LETTER * i32::try_from(label.chars().count())?;
    area.draw(&Rectangle::new(
        [(x - 3, y - 9), (x + width, y + 9)],
        WHITE.filled(),
    ))?;
    let style = text(14).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw_text(label, &style, (x, y))?;
    Ok(())
}

fn text(size: i32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

/// From half of the shortest bar, so that it is seen, to room for the value behind the longest.
fn axis(lines: &[Line]) -> Drawn<Range<f64>> {
    let medians = lines.iter().map(|line| line.summary.median);
    let least = medians.fold(f64::INFINITY, f64::min);
    let most = lines
        .iter()
        .map(|line| line.summary.p90)
        .fold(0.0, f64::max);
    if !(least > 0.0 && least.is_finite()) {
        return Err("a row without a duration cannot stand on a logarithmic axis".into());
    }
    Ok(least / 2.0..(most * 8.0))
}

fn tick(ns: f64) -> String {
    if ns < 1.0 {
        format!("{ns:.1}")
    } else {
        format!("{ns:.0}")
    }
}

fn value(line: &Line) -> String {
    let median = nanoseconds(line.summary.median);
    if line.id == REFERENCE {
        return format!("{median} ns");
    }
    format!("{median} ns, {}", times(line.times_cheaper))
}

/// `rustc 1.95.0` without commit and date.
fn short_version(rustc: &str) -> &str {
    rustc.split(" (").next().unwrap_or(rustc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::made_up;

    #[test]
    fn the_picture_names_every_row_and_its_value() {
        let report = made_up();
        let svg = render(&report).unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        for line in &report.rows {
            assert!(svg.contains(line.name), "{}", line.name);
            assert!(svg.contains(&value(line)), "{}", line.name);
        }
        for group in Group::ALL {
            assert!(svg.contains(group.name()), "{group:?}");
        }
    }

    #[test]
    fn the_axis_leaves_room_on_both_sides() {
        let report = made_up();
        let axis = axis(&report.rows).unwrap();
        for line in &report.rows {
            assert!(
                axis.start < line.summary.median && line.summary.p90 < axis.end,
                "{}",
                line.name
            );
        }
    }

    #[test]
    fn nothing_to_draw_is_an_error_and_not_an_endless_axis() {
        let mut report = made_up();
        report.rows[0].summary.median = 0.0;
        assert!(render(&report).is_err());
        report.rows.clear();
        assert!(render(&report).is_err());
    }
}
