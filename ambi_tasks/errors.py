"""The one exception for a mistake that the user can mend."""


class UserError(Exception):
    """A mistake of the user's; its message says in a sentence what is wrong, where, what to do.

    On the command line the message is shown without a traceback (see `ambi_tasks.plugin`).
    """
