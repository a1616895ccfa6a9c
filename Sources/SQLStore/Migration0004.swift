/// Segments and who is in them.
///
/// The rules of the first schema hold here too.
enum Migration0004 {
    static let sql = """
        """
}
