/* What an address leads to: every special range, at both of its ends and just beyond them, and IPv4 addresses in every dress that IPv6 has for them. */
#include "base/error.h"
#include "sandbox/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sockaddr_storage read_address(const char *text)
{
	struct sockaddr_storage out = {0};
	struct sockaddr_in *four = (struct sockaddr_in *)&out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out;
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
		six->sin6_family = AF_INET6;
	}
	return out;
}

static enum address_class class_of(const char *text)
{
	struct sockaddr_storage s = read_address(text);
	return address_class((const struct sockaddr *)&s);
}

static const struct {
	const char *text;
	enum address_class class;
} table[] = {
    {"0.0.0.0", ADDRESS_UNSPECIFIED},
    {"0.255.255.255", ADDRESS_UNSPECIFIED},
    {"1.0.0.0", ADDRESS_PUBLIC},
    {"8.8.8.8", ADDRESS_PUBLIC},
    {"9.255.255.255", ADDRESS_PUBLIC},
    {"10.0.0.0", ADDRESS_PRIVATE},
    {"10.255.255.255", ADDRESS_PRIVATE},
    {"11.0.0.0", ADDRESS_PUBLIC},
    {"100.63.255.255", ADDRESS_PUBLIC},
    {"100.64.0.0", ADDRESS_PRIVATE},
    {"100.100.100.200", ADDRESS_METADATA},
    {"100.127.255.255", ADDRESS_PRIVATE},
    {"100.128.0.0", ADDRESS_PUBLIC},
    {"126.255.255.255", ADDRESS_PUBLIC},
    {"127.0.0.0", ADDRESS_LOOPBACK},
    {"127.0.0.1", ADDRESS_LOOPBACK},
    {"127.255.255.255", ADDRESS_LOOPBACK},
    {"128.0.0.0", ADDRESS_PUBLIC},
    {"168.63.129.15", ADDRESS_PUBLIC},
    {"168.63.129.16", ADDRESS_METADATA},
    {"169.253.255.255", ADDRESS_PUBLIC},
    {"169.254.0.0", ADDRESS_LINK_LOCAL},
    {"169.254.0.23", ADDRESS_METADATA},
    {"169.254.42.42", ADDRESS_METADATA},
    {"169.254.169.123", ADDRESS_METADATA},
    {"169.254.169.253", ADDRESS_METADATA},
    {"169.254.169.254", ADDRESS_METADATA},
    {"169.254.169.255", ADDRESS_LINK_LOCAL},
    {"169.254.170.2", ADDRESS_METADATA},
    {"169.254.170.23", ADDRESS_METADATA},
    {"169.254.255.255", ADDRESS_LINK_LOCAL},
    {"169.255.0.0", ADDRESS_PUBLIC},
    {"172.15.255.255", ADDRESS_PUBLIC},
    {"172.16.0.0", ADDRESS_PRIVATE},
    {"172.31.255.255", ADDRESS_PRIVATE},
    {"172.32.0.0", ADDRESS_PUBLIC},
    {"192.0.0.1", ADDRESS_RESERVED},
    {"192.0.0.192", ADDRESS_METADATA},
    {"192.0.1.0", ADDRESS_PUBLIC},
    {"192.0.2.1", ADDRESS_RESERVED},
    {"192.88.99.1", ADDRESS_RESERVED},
    {"192.167.255.255", ADDRESS_PUBLIC},
    {"192.168.0.0", ADDRESS_PRIVATE},
    {"192.168.255.255", ADDRESS_PRIVATE},
    {"192.169.0.0", ADDRESS_PUBLIC},
    {"198.17.255.255", ADDRESS_PUBLIC},
    {"198.18.0.0", ADDRESS_PRIVATE},
    {"198.19.255.255", ADDRESS_PRIVATE},
    {"198.20.0.0", ADDRESS_PUBLIC},
    {"198.51.100.7", ADDRESS_RESERVED},
    {"203.0.113.7", ADDRESS_RESERVED},
    {"223.255.255.255", ADDRESS_PUBLIC},
    {"224.0.0.1", ADDRESS_MULTICAST},
    {"239.255.255.255", ADDRESS_MULTICAST},
    {"240.0.0.0", ADDRESS_RESERVED},
    {"255.255.255.255", ADDRESS_RESERVED},

    {"::", ADDRESS_UNSPECIFIED},
    {"::1", ADDRESS_LOOPBACK},
    {"::2", ADDRESS_UNSPECIFIED},
    {"2606:4700::1111", ADDRESS_PUBLIC},
    {"2000::1", ADDRESS_PUBLIC},
    {"1fff::1", ADDRESS_RESERVED},
    {"4000::1", ADDRESS_RESERVED},
    {"2001:200::1", ADDRESS_PUBLIC},
    {"2001::1", ADDRESS_RESERVED},
    {"2001:1ff::1", ADDRESS_RESERVED},
    {"2001:db8::1", ADDRESS_RESERVED},
    {"2001:db9::1", ADDRESS_PUBLIC},
    {"3fff::1", ADDRESS_RESERVED},
    {"100::1", ADDRESS_RESERVED},
    {"5f00::1", ADDRESS_RESERVED},
    {"fbff::1", ADDRESS_RESERVED},
    {"fc00::1", ADDRESS_UNIQUE_LOCAL},
    {"fd00:ec2::253", ADDRESS_UNIQUE_LOCAL},
    {"fd00:ec2::254", ADDRESS_METADATA},
    {"fd00:ec2::23", ADDRESS_METADATA},
    {"fd20:ce::254", ADDRESS_METADATA},
    {"fdff:ffff::1", ADDRESS_UNIQUE_LOCAL},
    {"fe80::1", ADDRESS_LINK_LOCAL},
    {"febf::1", ADDRESS_LINK_LOCAL},
    {"fec0::1", ADDRESS_PRIVATE},
    {"feff::1", ADDRESS_PRIVATE},
    {"ff02::1", ADDRESS_MULTICAST},

    {"::ffff:8.8.8.8", ADDRESS_PUBLIC},
    {"::ffff:127.0.0.1", ADDRESS_LOOPBACK},
    {"::ffff:10.1.2.3", ADDRESS_PRIVATE},
    {"::ffff:169.254.169.254", ADDRESS_METADATA},
    {"::ffff:0.0.0.0", ADDRESS_UNSPECIFIED},
    {"::ffff:0:127.0.0.1", ADDRESS_LOOPBACK},
    {"::ffff:0:8.8.8.8", ADDRESS_RESERVED},
    {"::127.0.0.1", ADDRESS_LOOPBACK},
    {"::10.0.0.1", ADDRESS_PRIVATE},
    {"::8.8.8.8", ADDRESS_RESERVED},
    {"64:ff9b::8.8.8.8", ADDRESS_PUBLIC},
    {"64:ff9b::127.0.0.1", ADDRESS_LOOPBACK},
    {"64:ff9b::a9fe:a9fe", ADDRESS_METADATA},
    {"64:ff9b::192.168.1.1", ADDRESS_PRIVATE},
    {"64:ff9b:1::1", ADDRESS_PRIVATE},
    {"64:ff9b:2::1", ADDRESS_RESERVED},
    {"2002:7f00:1::", ADDRESS_LOOPBACK},
    {"2002:a9fe:a9fe::1", ADDRESS_METADATA},
    {"2002:c0a8:101::1", ADDRESS_PRIVATE},
    {"2002:808:808::1", ADDRESS_PUBLIC},
    {"2606:4700::5efe:10.0.0.1", ADDRESS_PRIVATE},
    {"2606:4700::200:5efe:127.0.0.1", ADDRESS_LOOPBACK},
    {"2606:4700::200:5efe:8.8.8.8", ADDRESS_PUBLIC},
};

static void classes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		enum address_class is = class_of(table[i].text);
		if (is != table[i].class) fail_msg("%s is %s, %s was expected", table[i].text, address_class_word(is), address_class_word(table[i].class));
	}
}

static void only_public_ones_are_outside(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct sockaddr_storage s = read_address(table[i].text);
		assert_int_equal(address_is_inner((const struct sockaddr *)&s), table[i].class != ADDRESS_PUBLIC);
	}
	struct sockaddr none = {.sa_family = AF_UNIX};
	assert_true(address_is_inner(&none));
}

static void texts(void **state)
{
	static const char *const want[][2] = {{"192.0.2.1", "192.0.2.1:443"}, {"2001:db8::1", "[2001:db8::1]:443"}};
	char text[ADDRESS_TEXT_BYTES];
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sockaddr_storage s = read_address(want[i][0]);
		address_set_port((struct sockaddr *)&s, 443);
		address_text((const struct sockaddr *)&s, text);
		assert_string_equal(text, want[i][1]);
	}
	struct sockaddr_storage s = read_address("fe80::1");
	((struct sockaddr_in6 *)&s)->sin6_scope_id = 3;
	address_text((const struct sockaddr *)&s, text);
	assert_string_equal(text, "[fe80::1%3]:0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(classes), cmocka_unit_test(only_public_ones_are_outside), cmocka_unit_test(texts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
