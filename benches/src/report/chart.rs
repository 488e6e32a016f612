//! A picture: a bar for each row on a logarithmic axis.

use std::error::Error;
use std::ops::Range;

use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::failure::Failure;

type Drawn<T = ()> = Result<T, Box<dyn Error>>;

/// Without the names.
const WIDTH: u32 = 790;
/// Above the bars: title, machine, legend.
const HEAD: u32 = 118;
/// Below the bars: the axis and its name.
const FOOT: u32 = 64;
/// One bar and the gap to the next.
const ROW: u32 = 34;
/// Left of the bars: their names, which take so much at least.
const NAMES: u32 = 290;
const MARGIN: i32 = 24;
/// The backend knows no font metrics; so wide is a letter of size 14 at most, on average.
const LETTER: i32 = 7;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(33, 37, 41);
const FAINT: RGBColor = RGBColor(206, 212, 218);

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows.
    pub title: &'static str,
    /// Where and how that was measured.
    pub subtitle: String,
    /// The groups of the bars: name, and red, green and blue.
    pub groups: Vec<(&'static str, [u8; 3])>,
    /// What else the legend says.
    pub note: &'static str,
    /// What the axis counts.
    pub axis: &'static str,
    /// The bars, from above.
    pub bars: Vec<Bar>,
    /// Where a dashed line goes across all bars.
    pub reference: Option<f64>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Bar {
    /// At the left of it.
    pub name: String,
    /// The place of its group among those of the chart.
    pub group: usize,
    /// Where it ends.
    pub value: f64,
    /// From where to where its whisker goes.
    pub spread: (f64, f64),
    /// At the right of it.
    pub label: String,
}

fn colour([red, green, blue]: [u8; 3]) -> RGBColor {
    RGBColor(red, green, blue)
}

/// The chart as an SVG document.
///
/// # Errors
///
/// If there is nothing to draw, or the drawing library fails.
pub fn render(chart: &Chart) -> Result<String, Failure> {
    svg(chart).map_err(|error| Failure::run(format!("cannot draw the chart: {error}")))
}

fn svg(what: &Chart) -> Drawn<String> {
    let mut svg = String::new();
    let names = width_of_names(&what.bars)?;
    let height = HEAD + ROW * u32::try_from(what.bars.len())? + FOOT;
    let area = SVGBackend::with_string(&mut svg, (names + WIDTH, height)).into_drawing_area();
    draw(what, names, &area)?;
    area.present()?;
    drop(area);
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw(what: &Chart, names: u32, area: &Area<'_>) -> Drawn {
    area.fill(&WHITE)?;
    area.draw_text(what.title, &text(24), (MARGIN, 20))?;
    area.draw_text(&what.subtitle, &text(14), (MARGIN, 54))?;
    legend(what, area)?;
    let axis = axis(&what.bars)?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(HEAD)
        .margin_left(names)
        .margin_right(MARGIN)
        .margin_bottom(12)
        .x_label_area_size(FOOT - 12)
        .build_cartesian_2d(axis.clone().log_scale(), 0.0..what.bars.len() as f64)?;
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
        .x_desc(what.axis)
        .axis_desc_style((FONT, 14, &INK))
        .draw()?;
    if let Some(at) = what.reference {
        let line = [(at, 0.0), (at, what.bars.len() as f64)];
        chart.draw_series([DashedPathElement::new(line, 4, 4, INK.stroke_width(1))])?;
    }
    let name_style = text(14).pos(Pos::new(HPos::Right, VPos::Center));
    for (index, row) in what.bars.iter().enumerate() {
        let middle = (what.bars.len() - index) as f64 - 0.5;
        let (_, rgb) = what.groups[row.group];
        let (low, high) = row.spread;
        let bar = [(axis.start, middle + 0.34), (row.value, middle - 0.34)];
        chart.draw_series([Rectangle::new(bar, colour(rgb).filled())])?;
        let whisker = [(low, middle), (high, middle)];
        chart.draw_series([PathElement::new(whisker, INK.stroke_width(2))])?;
        let (left, _) = chart.backend_coord(&(axis.start, middle));
        let (right, y) = chart.backend_coord(&(row.value.max(high), middle));
        area.draw_text(&row.name, &name_style, (left - 10, y))?;
        value_label(area, &row.label, (right + 8, y))?;
    }
    Ok(())
}

/// So much that the longest name is seen.
fn width_of_names(bars: &[Bar]) -> Drawn<u32> {
    let letters = bars.iter().map(|bar| bar.name.chars().count()).max();
    let longest = LETTER * i32::try_from(letters.unwrap_or(0))? + MARGIN;
    Ok(u32::try_from(longest)?.max(NAMES))
}

fn legend(what: &Chart, area: &Area<'_>) -> Drawn {
    let mut x = MARGIN;
    for &(name, rgb) in &what.groups {
        area.draw(&Rectangle::new(
            [(x, 82), (x + 14, 96)],
            colour(rgb).filled(),
        ))?;
        area.draw_text(name, &text(14), (x + 20, 82))?;
        x += 20 + LETTER * i32::try_from(name.len())? + 24;
    }
    area.draw_text(what.note, &text(14), (x, 82))?;
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
fn axis(bars: &[Bar]) -> Drawn<Range<f64>> {
    let values = bars.iter().map(|bar| bar.value);
    let least = values.fold(f64::INFINITY, f64::min);
    let most = bars.iter().map(|bar| bar.spread.1).fold(0.0, f64::max);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let bar = |name: &str, group, value: f64| Bar {
            name: name.to_owned(),
            group,
            value,
            spread: (value * 0.9, value * 1.1),
            label: format!("{value} ns"),
        };
        Chart {
            title: "What it costs",
            subtitle: "on this machine".to_owned(),
            groups: vec![("ours", [0, 114, 178]), ("theirs", [213, 94, 0])],
            note: "dashed: theirs",
            axis: "nanoseconds",
            bars: vec![bar("quick", 0, 3.0), bar("slow", 1, 3000.0)],
            reference: Some(3000.0),
        }
    }

    #[test]
    fn the_picture_has_every_text_of_the_chart() {
        let svg = render(&chart()).unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        for text in [
            "What it costs",
            "on this machine",
            "ours",
            "theirs",
            "dashed: theirs",
            "nanoseconds",
            "quick",
            "3 ns",
            "slow",
            "3000 ns",
        ] {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn the_axis_leaves_room_on_both_sides() {
        let chart = chart();
        let axis = axis(&chart.bars).unwrap();
        for bar in &chart.bars {
            assert!(axis.start < bar.value && bar.spread.1 < axis.end, "{bar:?}");
        }
    }

    #[test]
    fn the_names_have_the_room_that_the_longest_one_takes() {
        let mut chart = chart();
        assert_eq!(width_of_names(&chart.bars).unwrap(), NAMES);
        chart.bars[1].name = "long".repeat(20);
        assert_eq!(width_of_names(&chart.bars).unwrap(), 80 * 7 + 24);
        let svg = render(&chart).unwrap();
        assert!(
            svg.starts_with(&format!("<svg width=\"{}\"", 584 + WIDTH)),
            "{svg}"
        );
    }

    #[test]
    fn nothing_to_draw_is_an_error_and_not_an_endless_axis() {
        let mut chart = chart();
        chart.bars[0].value = 0.0;
        assert!(render(&chart).is_err());
        chart.bars.clear();
        assert!(render(&chart).is_err());
    }
}
