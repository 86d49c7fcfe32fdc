"""What a person does about what the checks of PostgreSQL alone find, by kind."""

DATABASE_REMEDIES: dict[str, str] = {
    # never-twice
    "constraint_missing": "Pause the schedules (`perdure schedule pause`), void the doubled invoices that the audit names, "
    "then put the constraint back as storage/migrations/versions/0001_initial.py has it: until then nothing refuses a double.",
    "overlap": "Void one of the two invoices (`perdure invoices void KEY --reason TEXT`), or credit the instance on it when it is "
    "paid (`perdure invoices credit KEY --instance ID --reason TEXT`); then find out who dropped the constraint.",
    "billed_twice": "Credit the instance on one of the two invoices (`perdure invoices credit KEY --instance ID --reason TEXT`), "
    "or void the one that is not paid (`perdure invoices void KEY --reason TEXT`).",
}
