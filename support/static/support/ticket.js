// A ticket’s page: drafts, presence, tabs.
