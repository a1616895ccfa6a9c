/// Keeps versions of the program away that would take `events.data` for the whole of it (`StoredEventData`). What was written
/// before stays as it is.
enum Migration0022 {
    static let sql = "-- Nothing to change: the number is what counts."
}
