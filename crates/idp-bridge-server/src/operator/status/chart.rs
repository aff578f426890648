//! Small charts as SVG, with a bar for each minute.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::history::{MINUTES, Minute};

/// The height of a chart in its own units. A minute is 3 units wide.
const HEIGHT: u32 = 36;
const STEP: usize = 3;

/// Draws the calls of each minute, and the failed ones among them in another colour.
pub(super) fn calls(minutes: &[Minute]) -> Markup {
    let max = max_calls(minutes);
    let label = format!("calls in each minute of the last hour, {max} at most");
    let paths = html! {
        path class="calls" d=(bars(minutes.iter().map(|minute| minute.calls), max)) {}
        path class="errors" d=(bars(minutes.iter().map(|minute| minute.errors), max)) {}
    };
    svg(&label, &paths)
}

/// Draws the mean duration of the calls of each minute.
pub(super) fn durations(minutes: &[Minute]) -> Markup {
    let max = max_mean_ms(minutes);
    let label = format!("mean duration in each minute of the last hour, {max} ms at most");
    svg(&label, &html! { path class="durations" d=(bars(minutes.iter().map(mean_ms), max)) {} })
}

/// Returns the highest number of calls in a minute.
pub(super) fn max_calls(minutes: &[Minute]) -> u32 {
    minutes.iter().map(|minute| minute.calls).max().unwrap_or_default()
}

/// Returns the longest mean duration of a minute in milliseconds.
pub(super) fn max_mean_ms(minutes: &[Minute]) -> u32 {
    minutes.iter().map(mean_ms).max().unwrap_or_default()
}

fn mean_ms(minute: &Minute) -> u32 {
    minute.mean_ms().unwrap_or_default()
}

fn svg(label: &str, paths: &Markup) -> Markup {
    html! {
        svg viewBox={ "0 0 " (MINUTES * STEP) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(label) {
            title { (label) }
            (paths)
        }
    }
}

/// Returns the path of the bars. The bar of the maximum fills the chart; other bars above zero are at least 2 pixels high.
fn bars(values: impl Iterator<Item = u32>, max: u32) -> String {
    let mut path = String::new();
    for (position, value) in values.enumerate().filter(|(_, value)| *value > 0) {
        let height = u64::from(value) * u64::from(HEIGHT) / u64::from(max.max(1));
        // Writing to a string cannot fail.
        let _ = write!(path, "M{} {HEIGHT}v-{}", position * STEP + 1, height.max(2));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_relative_to_the_maximum() {
        assert_eq!(bars([0, 50, 100, 1].into_iter(), 100), "M4 36v-18M7 36v-36M10 36v-2");
        assert_eq!(bars([0, 0].into_iter(), 0), "");
        assert_eq!(bars([u32::MAX].into_iter(), u32::MAX), "M1 36v-36");
    }
}
