/// Access: keys, idempotency, mails of `/v1/send`, the audit log.
///
/// The rules of the first schema hold here too.
enum Migration0006 {
    static let sql = """
        """
}
