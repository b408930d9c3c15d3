"""What must be refused, and how: for the tests of the Python package."""
import momc


def refused(part, call, kind=momc.Error):
    """`call` raises `kind`, whose text has `part`."""
    try:
        call()
    except kind as error:
        assert part in str(error), error
        return
    raise AssertionError(f"expected {kind.__name__} with '{part}'")
