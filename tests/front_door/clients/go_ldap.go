// go-ldap against the directory at a URI: go run go_ldap.go URI.
package main

import (
	"fmt"
	"os"
	"sort"
	"sync"

	"github.com/go-ldap/ldap/v3"
)

const (
	base   = "dc=example,dc=com"
	people = "ou=people," + base
	admin  = "cn=admin," + base
	added  = "uid=added," + people
)

func step(name string, said ...interface{}) {
	fmt.Printf("%s: %v\n", name, said)
}

// The result code of an error; 0: none.
func code(err error) int {
	if err == nil {
		return 0
	}
	if told, ok := err.(*ldap.Error); ok {
		return int(told.ResultCode)
	}
	return -1
}

func connect(name, password string) (*ldap.Conn, error) {
	connection, err := ldap.DialURL(os.Args[1])
	if err != nil {
		return nil, err
	}
	return connection, connection.Bind(name, password)
}

func must(connection *ldap.Conn, err error) *ldap.Conn {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return connection
}

func request(at, filter string, scope, limit int, attributes ...string) *ldap.SearchRequest {
	return ldap.NewSearchRequest(at, scope, ldap.NeverDerefAliases, limit, 0, false, filter, attributes, nil)
}

func listed(got *ldap.SearchResult) []string {
	var all []string
	if got == nil {
		return all
	}
	for _, entry := range got.Entries {
		line := entry.DN
		for _, attribute := range entry.Attributes {
			values := append([]string{}, attribute.Values...)
			sort.Strings(values)
			line += fmt.Sprint(" ", attribute.Name, values)
		}
		all = append(all, line)
	}
	sort.Strings(all)
	return all
}

func found(connection *ldap.Conn, asked *ldap.SearchRequest) (int, []string) {
	got, err := connection.Search(asked)
	return code(err), listed(got)
}

func whoami(connection *ldap.Conn) string {
	got, err := connection.WhoAmI(nil)
	if err != nil {
		return err.Error()
	}
	return got.AuthzID
}

func main() {
	password := os.Getenv("DIRECTORY_PASSWORD")
	anybody := must(ldap.DialURL(os.Args[1]))
	dse, err := anybody.Search(request("", "(objectClass=*)", ldap.ScopeBaseObject, 0, "namingContexts"))
	step("dse", code(err), listed(dse))
	_, err = connect(admin, "wrong")
	step("refused", code(err))
	_, err = connect("uid=user1,"+people, "wrong")
	step("refused user", code(err))
	service := must(connect(admin, password))
	step("whoami", whoami(service))
	answer, all := found(service, request(base, "(|(uid=user2)(uid=user3))", ldap.ScopeWholeSubtree, 0, "uid", "cn", "mail"))
	step("search", answer, all)
	answer, all = found(service, request("ou=missing,"+base, "(uid=x)", ldap.ScopeWholeSubtree, 0))
	step("missing", answer, all)
	answer, _ = found(service, request(base, "(uid=user*)", ldap.ScopeWholeSubtree, 4, "uid"))
	step("limited", answer)
	paged, err := service.SearchWithPaging(request(base, "(uid=user*)", ldap.ScopeWholeSubtree, 0, "uid"), 3)
	step("pages", code(err), listed(paged))
	var together sync.WaitGroup
	var answers [10][]string
	for i := range answers {
		together.Add(1)
		go func(i int) {
			defer together.Done()
			_, answers[i] = found(service, request(base, fmt.Sprintf("(uid=user%d)", i), ldap.ScopeWholeSubtree, 0, "uid"))
		}(i)
	}
	together.Wait()
	step("together", answers)
	fresh := ldap.NewAddRequest(added, nil)
	fresh.Attribute("objectClass", []string{"inetOrgPerson"})
	fresh.Attribute("uid", []string{"added"})
	fresh.Attribute("cn", []string{"Jürgen"})
	fresh.Attribute("sn", []string{"AB"})
	step("add", code(service.Add(fresh)))
	step("add again", code(service.Add(fresh)))
	change := ldap.NewModifyRequest(added, nil)
	change.Replace("cn", []string{"Changed"})
	change.Add("mail", []string{"a@b"})
	step("modify", code(service.Modify(change)))
	answer, all = found(service, request(added, "(objectClass=*)", ldap.ScopeBaseObject, 0, "cn", "sn", "mail"))
	step("modified", answer, all)
	matched, err := service.Compare(added, "cn", "Changed")
	step("true", matched, code(err))
	matched, err = service.Compare(added, "cn", "Other")
	step("false", matched, code(err))
	step("rename", code(service.ModifyDN(ldap.NewModifyDNRequest(added, "uid=renamed", true, ""))))
	_, err = service.PasswordModify(ldap.NewPasswordModifyRequest("uid=user5,"+people, "", "changed"))
	step("password", code(err))
	step("new password", whoami(must(connect("uid=user5,"+people, "changed"))))
	user := must(connect("uid=user1,"+people, "password1"))
	step("user", whoami(user))
	paged, err = user.SearchWithPaging(request(base, "(uid=user*)", ldap.ScopeWholeSubtree, 0, "uid"), 4)
	step("user's pages", code(err), len(listed(paged)))
	change = ldap.NewModifyRequest("uid=renamed,"+people, nil)
	change.Replace("cn", []string{"x"})
	step("user's write", code(user.Modify(change)))
	step("rebind", code(user.Bind("uid=user2,"+people, "password2")))
	step("another user", whoami(user))
	step("delete", code(service.Del(ldap.NewDelRequest("uid=renamed,"+people, nil))))
	step("delete again", code(service.Del(ldap.NewDelRequest("uid=renamed,"+people, nil))))
}
