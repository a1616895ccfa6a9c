/*
 * What both programs of this folder need of SQLite: a connection set up as the store sets up its own, and errors that
 * end the program with a sentence.
 */
#ifndef POSTRIDER_BARE_LOOP_DATABASE_H
#define POSTRIDER_BARE_LOOP_DATABASE_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static inline void check(sqlite3 *database, int code, const char *what)
{
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
        return;
    fprintf(stderr, "%s: %s\n", what, database ? sqlite3_errmsg(database) : sqlite3_errstr(code));
    exit(EX_SOFTWARE);
}

static inline void *checked(void *memory)
{
    if (!memory) {
        fprintf(stderr, "no memory\n");
        exit(EX_OSERR);
    }
    return memory;
}

static inline void run(sqlite3 *database, const char *sql)
{
    check(database, sqlite3_exec(database, sql, NULL, NULL, NULL), sql);
}

static inline sqlite3_stmt *prepare(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    check(database, sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), sql);
    return statement;
}

static inline sqlite3 *open_database(const char *path)
{
    sqlite3 *database = NULL;
    check(database, sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL), path);
    /* The settings of Sources/SQLStore/SQLiteStore.swift; the log is copied back by whoever makes it too long. */
    run(database, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384;"
                  "PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL;");
    return database;
}

/* The tables that an execution has rows in, in the order in which the engine writes them. */
enum { CONTACTS, EVENTS, EXECUTIONS, WAITS, STEPS, OUTBOX, TABLES };
static const char *const table_names[TABLES] = {"contacts", "events",          "executions",
                                                "waits",    "step_executions", "outbox"};

/* "INSERT INTO table VALUES (?, ?, ...)" for all columns of a table, which `columns` then counts. */
static inline sqlite3_stmt *prepare_insert(sqlite3 *database, const char *table, int *columns)
{
    char *sql = sqlite3_mprintf("SELECT * FROM %s LIMIT 0", table);
    sqlite3_stmt *probe = prepare(database, checked(sql));
    *columns = sqlite3_column_count(probe);
    sqlite3_finalize(probe);
    sqlite3_free(sql);
    sql = sqlite3_mprintf("INSERT INTO %s VALUES (?", table);
    for (int column = 1; column < *columns; column++)
        sql = sqlite3_mprintf("%z, ?", checked(sql));
    sql = sqlite3_mprintf("%z)", checked(sql));
    sqlite3_stmt *insert = prepare(database, checked(sql));
    sqlite3_free(sql);
    return insert;
}

#endif
