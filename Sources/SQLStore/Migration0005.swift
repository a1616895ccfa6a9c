/// Templates: versions, partials, kinds.
///
/// The rules of the first schema hold here too.
enum Migration0005 {
    static let sql = """
        """
}
