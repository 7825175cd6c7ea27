"""A database engine that brings its own server: PostgreSQL 18 out of a wheel, its data under `var/`.

For the demo and the tests; settings choose it where `DATABASE_URL` is not set and DEBUG is on. Django loads
`base`; other code asks `server`. Under these, `users` knows who needs the server, `places` where things lie,
`binaries` which programs run and as whom, `cluster` makes the data, `postmaster` starts and stops the program.
"""
