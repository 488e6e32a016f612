//! The time line: a row for each P and each thread, with the slices that began first.
//!
//! It is an SVG whose unit is a microsecond, stretched to the width of the window; the page's script shows a part of it.

use std::fmt::{self, Write as _};

use crate::{page::html::Escaped, trace::sink::Track};

/// The slices that are drawn.
const MOST: usize = 6000;

/// Slices in slices that are drawn.
const DEPTH: usize = 3;

/// The height of a row, and what lies between two, in pixels.
pub(super) const ROW: usize = 20;
const GAP: usize = 4;

/// The number of a slice that is drawn.
#[derive(Clone, Copy)]
pub(super) struct Place(usize);

#[derive(Default)]
pub(super) struct Drawing {
    slices: Vec<Drawn>,
    /// From here on slices are left out.
    pub(super) until: Option<u64>,
}

struct Drawn {
    track: Track,
    from: u64,
    to: Option<u64>,
    depth: usize,
    name: usize,
    goroutine: u64,
}

impl Drawing {
    /// A slice begins, in `depth` others. `None`: it is not drawn.
    pub(super) fn begin(
        &mut self,
        track: Track,
        from: u64,
        depth: usize,
        name: usize,
        goroutine: u64,
    ) -> Option<Place> {
        if self.slices.len() == MOST {
            self.until.get_or_insert(from);
        }
        if self.until.is_some() || depth >= DEPTH {
            return None;
        }
        self.slices.push(Drawn {
            track,
            from,
            to: None,
            depth,
            name,
            goroutine,
        });
        Some(Place(self.slices.len() - 1))
    }

    pub(super) fn end(&mut self, place: Place, at: u64) {
        self.slices[place.0].to = Some(at);
    }

    /// The slices from `start` to `end`, in rows in the order of `tracks`.
    pub(super) fn write(
        &self,
        out: &mut String,
        tracks: &[Track],
        names: &[Box<str>],
        (start, end): (u64, u64),
    ) -> fmt::Result {
        let height = tracks.len() * (ROW + GAP);
        write!(
            out,
            "<svg id=\"line\" viewBox=\"0 0 {} {height}\" preserveAspectRatio=\"none\" style=\"height:{height}px\">",
            Micros((end - start).max(1))
        )?;
        for slice in &self.slices {
            let Ok(row) = tracks.binary_search(&slice.track) else {
                continue;
            };
            let (from, to) = (slice.from.min(end), slice.to.unwrap_or(end).min(end));
            let inset = 5 * slice.depth;
            write!(
                out,
                "\n<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"d{}\" fill=\"{}\"><title>{}",
                Micros(from - start),
                row * (ROW + GAP) + inset,
                Micros((to - from).max(1)),
                ROW - inset,
                slice.depth,
                Colour(slice),
                Escaped(&names[slice.name]),
            )?;
            if slice.goroutine != 0 {
                write!(out, ", goroutine {}", slice.goroutine)?;
            }
            write!(
                out,
                ": {} us from {} us</title></rect>",
                Micros(to - from),
                Micros(from - start)
            )?;
        }
        out.write_str("\n</svg>")
    }
}

/// Nanoseconds as microseconds.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1000 {
            0 => write!(f, "{}", self.0 / 1000),
            rest => write!(f, "{}.{rest:03}", self.0 / 1000),
        }
    }
}

/// The same for all slices of a goroutine; grey for what is none's.
struct Colour<'a>(&'a Drawn);

impl fmt::Display for Colour<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let light = 70 - 12 * self.0.depth;
        match self.0.goroutine {
            0 => write!(f, "hsl(0,0%,{}%)", light + 15),
            // By the golden angle: numbers that follow each other look different.
            goroutine => write!(
                f,
                "hsl({},65%,{light}%)",
                goroutine % 360 * 222_492 / 1000 % 360
            ),
        }
    }
}
