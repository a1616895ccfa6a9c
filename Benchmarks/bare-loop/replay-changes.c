/*
 * replay-changes: what SQLite itself costs, for work that changes rows and not only adds them.
 *
 *   replay-changes record DATABASE
 *   replay-changes play TARGET RECORDED CHANGES_IN_A_TRANSACTION
 *
 * `record` gives every table of DATABASE triggers that write down each row inserted, updated or deleted. The engine then
 * works on that database (nobody measures it). `play` does to TARGET, a copy of the database from before, the same changes
 * in the same order, in transactions of the same size, by prepared statements in a loop: an update sets the columns that
 * really changed and no others. Nothing is read, decided or made while the clock runs; the changes are in memory before
 * it starts.
 *
 * Prints "changes transactions seconds".
 */
#include "database.h"

#include <stdint.h>
#include <time.h>

enum { MOST_TABLES = 64, MOST_COLUMNS = 40 };

struct table {
    char *name;
    int columns, keys;
    char *names[MOST_COLUMNS];
    /* Position in the key, from 1; 0 outside it. */
    int key[MOST_COLUMNS];
    sqlite3_stmt *insert, *delete;
    struct update {
        uint64_t mask;
        sqlite3_stmt *statement;
        struct update *next;
    } *updates;
};

struct change {
    int64_t sequence, mask;
    int table;
    char kind;
    sqlite3_value **values;
};

static struct table tables[MOST_TABLES];
static int table_count;
static struct change *changes;
static size_t change_count, change_room;

static char *text_or_die(char *text) { return checked(text); }

/* Every table of ours, with its columns and the key by which a row is found. */
static void read_tables(sqlite3 *database)
{
    sqlite3_stmt *names = prepare(database, "SELECT name FROM main.sqlite_schema WHERE type = 'table'"
                                            " AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'bench_%' ORDER BY name");
    while (sqlite3_step(names) == SQLITE_ROW) {
        if (table_count == MOST_TABLES) {
            fprintf(stderr, "more than %d tables\n", MOST_TABLES);
            exit(EX_DATAERR);
        }
        struct table *table = &tables[table_count++];
        table->name = text_or_die(sqlite3_mprintf("%s", sqlite3_column_text(names, 0)));
        char *sql = text_or_die(sqlite3_mprintf("SELECT name, pk FROM pragma_table_info('%q')", table->name));
        sqlite3_stmt *columns = prepare(database, sql);
        sqlite3_free(sql);
        while (sqlite3_step(columns) == SQLITE_ROW && table->columns < MOST_COLUMNS) {
            table->names[table->columns] = text_or_die(sqlite3_mprintf("%s", sqlite3_column_text(columns, 0)));
            table->key[table->columns] = sqlite3_column_int(columns, 1);
            table->keys += table->key[table->columns] > 0;
            table->columns++;
        }
        sqlite3_finalize(columns);
        if (table->keys == 0 || table->columns == MOST_COLUMNS) {
            fprintf(stderr, "table %s has no key or too many columns\n", table->name);
            exit(EX_DATAERR);
        }
    }
    sqlite3_finalize(names);
}

/* MARK: record */

static void add_trigger(sqlite3 *database, const struct table *table, const char *kind, const char *row)
{
    char *values = text_or_die(sqlite3_mprintf("%s", ""));
    char *mask = text_or_die(sqlite3_mprintf("0"));
    for (int column = 0; column < table->columns; column++) {
        values = text_or_die(sqlite3_mprintf("%z, %s.\"%w\"", values, row, table->names[column]));
        if (*kind == 'U')
            mask = text_or_die(sqlite3_mprintf("%z | ((NEW.\"%w\" IS NOT OLD.\"%w\") << %d)", mask,
                                               table->names[column], table->names[column], column));
    }
    char *sql = text_or_die(sqlite3_mprintf(
        "CREATE TRIGGER \"bench_%w_%s\" AFTER %s ON \"%w\" BEGIN"
        " UPDATE bench_sequence SET value = value + 1;"
        " INSERT INTO \"bench_changes_%w\" VALUES ((SELECT value FROM bench_sequence), '%c', %s%s); END",
        table->name, kind, kind, table->name, table->name, *kind, mask, values));
    run(database, sql);
    sqlite3_free(sql);
    sqlite3_free(values);
    sqlite3_free(mask);
}

static void record(const char *path)
{
    sqlite3 *database = open_database(path);
    read_tables(database);
    run(database, "BEGIN; CREATE TABLE bench_sequence (value INTEGER NOT NULL); INSERT INTO bench_sequence VALUES (0)");
    for (int index = 0; index < table_count; index++) {
        struct table *table = &tables[index];
        char *sql = text_or_die(sqlite3_mprintf("CREATE TABLE \"bench_changes_%w\" (bench_at, bench_kind, bench_mask", table->name));
        for (int column = 0; column < table->columns; column++)
            sql = text_or_die(sqlite3_mprintf("%z, \"%w\"", sql, table->names[column]));
        sql = text_or_die(sqlite3_mprintf("%z)", sql));
        run(database, sql);
        sqlite3_free(sql);
        add_trigger(database, table, "INSERT", "NEW");
        add_trigger(database, table, "UPDATE", "NEW");
        add_trigger(database, table, "DELETE", "OLD");
    }
    run(database, "COMMIT");
    check(NULL, sqlite3_close(database), "close");
}

/* MARK: play */

static void read_changes(sqlite3 *recorded, int index)
{
    struct table *table = &tables[index];
    char *sql = text_or_die(sqlite3_mprintf("SELECT * FROM \"bench_changes_%w\" ORDER BY rowid", table->name));
    sqlite3_stmt *query = prepare(recorded, sql);
    sqlite3_free(sql);
    int code;
    while ((code = sqlite3_step(query)) == SQLITE_ROW) {
        if (change_count == change_room) {
            change_room = change_room ? change_room * 2 : 4096;
            changes = checked(realloc(changes, change_room * sizeof *changes));
        }
        struct change *change = &changes[change_count++];
        change->sequence = sqlite3_column_int64(query, 0);
        change->kind = *(const char *) sqlite3_column_text(query, 1);
        change->mask = sqlite3_column_int64(query, 2);
        change->table = index;
        change->values = checked(calloc((size_t) table->columns, sizeof *change->values));
        for (int column = 0; column < table->columns; column++)
            change->values[column] = checked(sqlite3_value_dup(sqlite3_column_value(query, column + 3)));
    }
    check(recorded, code, table->name);
    sqlite3_finalize(query);
}

static int in_order(const void *left, const void *right)
{
    int64_t a = ((const struct change *) left)->sequence, b = ((const struct change *) right)->sequence;
    return a < b ? -1 : a > b;
}

/* " WHERE key = ? AND ..." appended to `sql`. */
static char *with_key(char *sql, const struct table *table)
{
    const char *word = "WHERE";
    for (int column = 0; column < table->columns; column++) {
        if (!table->key[column])
            continue;
        sql = text_or_die(sqlite3_mprintf("%z %s \"%w\" = ?", sql, word, table->names[column]));
        word = "AND";
    }
    return sql;
}

static void bind_key(sqlite3_stmt *statement, const struct change *change, int position)
{
    const struct table *table = &tables[change->table];
    for (int column = 0; column < table->columns; column++)
        if (table->key[column])
            sqlite3_bind_value(statement, ++position, change->values[column]);
}

static sqlite3_stmt *prepare_text(sqlite3 *target, char *sql)
{
    sqlite3_stmt *statement = prepare(target, sql);
    sqlite3_free(sql);
    return statement;
}

/* The statement that sets the columns of `mask`. */
static sqlite3_stmt *update_of(sqlite3 *target, struct table *table, uint64_t mask)
{
    for (struct update *update = table->updates; update; update = update->next)
        if (update->mask == mask)
            return update->statement;
    char *sql = text_or_die(sqlite3_mprintf("UPDATE \"%w\" SET", table->name));
    const char *comma = "";
    for (int column = 0; column < table->columns; column++) {
        if (!(mask >> column & 1))
            continue;
        sql = text_or_die(sqlite3_mprintf("%z%s \"%w\" = ?", sql, comma, table->names[column]));
        comma = ",";
    }
    struct update *update = checked(malloc(sizeof *update));
    *update = (struct update){mask, prepare_text(target, with_key(sql, table)), table->updates};
    table->updates = update;
    return update->statement;
}

static void apply(sqlite3 *target, const struct change *change)
{
    struct table *table = &tables[change->table];
    sqlite3_stmt *statement;
    int position = 0;
    switch (change->kind) {
    case 'I':
        statement = table->insert;
        for (int column = 0; column < table->columns; column++)
            sqlite3_bind_value(statement, column + 1, change->values[column]);
        break;
    case 'U':
        /* A row written as it was: the engine's statement did it, and so does this one, to its key. */
        statement = update_of(target, table, change->mask ? (uint64_t) change->mask : UINT64_C(1));
        for (int column = 0; column < table->columns; column++)
            if ((change->mask ? (uint64_t) change->mask : UINT64_C(1)) >> column & 1)
                sqlite3_bind_value(statement, ++position, change->values[column]);
        bind_key(statement, change, position);
        break;
    default:
        statement = table->delete;
        bind_key(statement, change, 0);
    }
    if (sqlite3_step(statement) != SQLITE_DONE)
        check(target, sqlite3_errcode(target), table->name);
    sqlite3_reset(statement);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static void play(const char *target_path, const char *recorded_path, long batch)
{
    sqlite3 *recorded = open_database(recorded_path);
    read_tables(recorded);
    for (int index = 0; index < table_count; index++)
        read_changes(recorded, index);
    check(NULL, sqlite3_close(recorded), "close");
    qsort(changes, change_count, sizeof *changes, in_order);

    sqlite3 *target = open_database(target_path);
    for (int index = 0; index < table_count; index++) {
        struct table *table = &tables[index];
        int columns;
        table->insert = prepare_insert(target, table->name, &columns);
        char *sql = text_or_die(sqlite3_mprintf("DELETE FROM \"%w\"", table->name));
        table->delete = prepare_text(target, with_key(sql, table));
        /* Prepared before the clock runs, as everything else. */
        for (size_t number = 0; number < change_count; number++)
            if (changes[number].table == index && changes[number].kind == 'U')
                update_of(target, table, changes[number].mask ? (uint64_t) changes[number].mask : UINT64_C(1));
    }
    sqlite3_stmt *begin = prepare(target, "BEGIN IMMEDIATE"), *commit = prepare(target, "COMMIT");
    long transactions = 0;
    double start = now();
    for (size_t number = 0; number < change_count; number++) {
        if (number % (size_t) batch == 0) {
            if (number > 0) {
                check(target, sqlite3_step(commit), "COMMIT");
                sqlite3_reset(commit);
            }
            check(target, sqlite3_step(begin), "BEGIN");
            sqlite3_reset(begin);
            transactions++;
        }
        apply(target, &changes[number]);
    }
    if (change_count > 0)
        check(target, sqlite3_step(commit), "COMMIT");
    printf("%zu %ld %.6f\n", change_count, transactions, now() - start);
    exit(EX_OK);
}

int main(int argc, char **argv)
{
    long batch = argc == 5 ? strtol(argv[4], NULL, 10) : 0;
    if (argc == 3 && !strcmp(argv[1], "record"))
        record(argv[2]);
    else if (argc == 5 && !strcmp(argv[1], "play") && batch > 0)
        play(argv[2], argv[3], batch);
    else {
        fprintf(stderr, "usage: replay-changes record DATABASE\n"
                        "       replay-changes play TARGET RECORDED CHANGES_IN_A_TRANSACTION\n");
        return EX_USAGE;
    }
    return EX_OK;
}
