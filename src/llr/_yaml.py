"""YAML text to plain Python values: pure YAML 1.2, nothing but data, duplicate keys refused."""

from __future__ import annotations

import io
import warnings

from llr.errors import ConfigError

__all__ = ["parse_yaml", "write_yaml"]


def parse_yaml(text: str | bytes, *, source: str) -> object:
    """The value of one YAML 1.2 document; ``1e-10`` is a number.

    Args:
        text: the document; bytes are read as UTF-8.
        source: name of the document, for the message.

    Raises:
        ConfigError: if the text is not one valid YAML document of plain data.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        with (
            warnings.catch_warnings()
        ):  # "1e-10" under a %YAML 1.1 directive: a number all the same
            warnings.simplefilter("ignore")
            return YAML(typ="safe", pure=True).load(decoded)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = str(error.problem or error.context or "not valid YAML").splitlines()[0]
        raise ConfigError(f"{source}{where}: not valid YAML: {reason}.") from None
    except RecursionError:
        raise ConfigError(f"{source}: not valid YAML: nested too deeply.") from None
    except Exception as error:  # the parser lets errors of int(), date() and others through
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{source}: not valid YAML: {reason}.") from None


def write_yaml(value: object) -> str:
    """A plain value as YAML text: keys in their order, one a line; lists on one line."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedSeq

    def styled(item: object) -> object:
        if isinstance(item, dict):
            return {key: styled(entry) for key, entry in item.items()}
        if isinstance(item, list):
            in_line = CommentedSeq(item)
            in_line.fa.set_flow_style()
            return in_line
        return item

    stream = io.StringIO()
    YAML(pure=True).dump(styled(value), stream)
    return stream.getvalue()
