"""The audit trail as people read it: `query` finds events, `names` says what they are about, `sentences` tells them,
`tickets` which looks had a ticket, `people` who looked."""
