/// Subscriptions: our events at other people's endpoints.
///
/// The rules of the first schema hold here too.
enum Migration0007 {
    static let sql = """
        """
}
