"""Who may do what: keys, sessions, and the state that the API and the dashboard share."""
