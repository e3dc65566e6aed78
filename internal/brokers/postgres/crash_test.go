package postgres_test

const childEnv = "POSTGRES_BROKER_TEST_CHILD"

func runChild() {}
