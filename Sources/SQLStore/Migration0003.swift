/// Contacts and who did what with them: the history of each, erasure, events by name.
///
/// The rules of the first schema hold here too.
enum Migration0003 {
    static let sql = """
        """
}
