"""From a table of runs to figures and a page to read in the browser."""

from llr.report._condensation_map import plot_condensation
from llr.report._display_names import architecture_name, colour_of
from llr.report._draw import draw_all
from llr.report._figure_data import HeatPanel, HeatRow
from llr.report._heat_map import plot_heat_map, plot_heat_panels
from llr.report._loss_curves import plot_loss_curves
from llr.report._page import write_report
from llr.report._style import figure_of, save_figure, style
from llr.report._test_error import plot_test_error
from llr.report._watch import watch

__all__ = [
    "HeatPanel",
    "HeatRow",
    "architecture_name",
    "colour_of",
    "draw_all",
    "figure_of",
    "plot_condensation",
    "plot_heat_map",
    "plot_heat_panels",
    "plot_loss_curves",
    "plot_test_error",
    "save_figure",
    "style",
    "watch",
    "write_report",
]
