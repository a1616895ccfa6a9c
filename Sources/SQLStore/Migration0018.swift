/// Addresses whose domain was stored with letters beyond ASCII get the form under which they are looked for.
///
/// A contact or a suppression that is there in both forms stays as it is under the new one. Who has unsubscribed under either
/// stays unsubscribed.
enum Migration0018 {
    static let sql = """
        UPDATE contacts SET subscribed = 0
        WHERE (project_id, email) IN (
            SELECT project_id, normal_address(email) FROM contacts WHERE email GLOB '*[^ -~]*' AND subscribed = 0);

        UPDATE OR IGNORE contacts SET email = normal_address(email)
        WHERE email GLOB '*[^ -~]*' AND normal_address(email) <> email;

        UPDATE OR IGNORE suppressions SET address = normal_address(address)
        WHERE address GLOB '*[^ -~]*' AND normal_address(address) <> address;

        DELETE FROM suppressions WHERE address GLOB '*[^ -~]*' AND normal_address(address) <> address;

        UPDATE OR IGNORE soft_bounces SET address = normal_address(address)
        WHERE address GLOB '*[^ -~]*' AND normal_address(address) <> address;
        """
}
