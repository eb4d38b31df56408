"""Reading an OMOP CDM: the connection, the concept sets, and the queries; every function returns frames and joins nothing."""
