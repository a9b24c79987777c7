#!/usr/bin/ruby
# Net::LDAP (its own LDAP in Ruby) against the directory at a URI: net_ldap.rb URI.
require 'net/ldap'
require 'uri'

BASE = 'dc=example,dc=com'
PEOPLE = "ou=people,#{BASE}"
ADDED = "uid=added,#{PEOPLE}"
$stdout.sync = true

def step(name, *said)
  puts "#{name}: #{said.inspect}"
end

def client(name = nil, password = nil)
  at = URI(ARGV[0])
  auth = name ? { method: :simple, username: name, password: password } : { method: :anonymous }
  Net::LDAP.new(host: at.host, port: at.port, auth: auth)
end

def found(ldap, **how)
  entries = ldap.search(return_result: true, **how)
  listed = (entries || []).map { |e| [e.dn, e.attribute_names.sort.map { |a| [a, e[a].map(&:to_s).sort] }] }
  [ldap.get_operation_result.code, listed.sort]
end

def code(ldap)
  ldap.get_operation_result.code
end

def equal(name, value)
  Net::LDAP::Filter.eq(name, value)
end

admin = client("cn=admin,#{BASE}", ENV['DIRECTORY_PASSWORD'])
user = client("uid=user1,#{PEOPLE}", 'password1')
step('dse', client.search_root_dse[:namingcontexts].map(&:to_s))
step('bind', admin.bind, code(admin))
refused = client("cn=admin,#{BASE}", 'wrong')
step('refused', refused.bind, code(refused))
refused = client("uid=user1,#{PEOPLE}", 'wrong')
step('refused user', refused.bind, code(refused))
# Net::LDAP asks in pages when the root DSE offers them.
step('search', found(admin, base: BASE, filter: equal('uid', 'user2') | equal('uid', 'user3'), attributes: %w[uid cn mail]))
step('all', found(admin, base: BASE, filter: equal('uid', 'user*'), attributes: ['uid']))
step('missing', found(admin, base: "ou=missing,#{BASE}"))
step('limited', found(admin, base: BASE, filter: equal('uid', 'user*'), attributes: ['uid'], size: 4)[0])
admin.open do |connection|
  step('on one connection', (0..4).map { |n| found(connection, base: BASE, filter: equal('uid', "user#{n}"), attributes: ['uid']) })
end
attributes = { objectclass: 'inetOrgPerson', uid: 'added', cn: 'Jürgen', sn: 'AB' }
step('add', admin.add(dn: ADDED, attributes: attributes), code(admin))
step('add again', admin.add(dn: ADDED, attributes: attributes), code(admin))
step('modify', admin.modify(dn: ADDED, operations: [[:replace, :cn, 'Changed'], [:add, :mail, %w[a@b c@d]]]), code(admin))
step('modified', found(admin, base: ADDED, scope: Net::LDAP::SearchScope_BaseObject, attributes: %w[cn sn mail uid]))
step('rename', admin.rename(olddn: ADDED, newrdn: 'uid=renamed', delete_attributes: true), code(admin))
step('user', user.bind, found(user, base: BASE, filter: equal('uid', 'user4'), attributes: ['mail']))
step('write of the user', user.replace_attribute("uid=renamed,#{PEOPLE}", :cn, 'x'), code(user))
step('login', admin.bind_as(base: BASE, filter: '(uid=user3)', password: 'password3') ? true : false)
step('refused login', admin.bind_as(base: BASE, filter: '(uid=user3)', password: 'wrong') ? true : false)
step('delete', admin.delete(dn: "uid=renamed,#{PEOPLE}"), code(admin))
step('delete again', admin.delete(dn: "uid=renamed,#{PEOPLE}"), code(admin))
