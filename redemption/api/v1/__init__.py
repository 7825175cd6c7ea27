"""What programs’ platforms ask and tell: redeeming for their customers, accounts, cards and invoices."""
