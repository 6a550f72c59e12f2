"""`python -m ambi_tasks ...` is `lm_eval ...` where the start-up hook does not run or is off."""

from ambi_tasks import plugin


def main() -> None:
    """Set the plug-in up, then hand over to the harness's command line."""
    plugin.install()
    from lm_eval.__main__ import cli_evaluate  # noqa: PLC0415 - only now, behind the hook

    cli_evaluate()


if __name__ == "__main__":
    main()
